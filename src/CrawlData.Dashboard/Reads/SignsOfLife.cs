using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Dashboard.Reads;

/// <summary>Tells which rows of a page are stale. It looks at these rows alone, however many others are running.</summary>
internal static class SignsOfLife
{
    // The page has read the last events already.
    internal const string SilentRunsSql =
        """
        select id
        from crawl_runs
        where id = any (@ids)
          and coalesce(started_at, created_at) <= (pg_catalog.now() - @silent_for) at time zone 'utc'
          and not exists (select from crawl_run_claims where run_id = crawl_runs.id and heartbeat_at > pg_catalog.now() - @silent_for offset 0)
        """;

    internal const string SilentSessionsSql =
        """
        select id
        from audit_sessions
        where id = any (@ids)
          and created_at <= pg_catalog.now() - @silent_for
          and not exists (select from crawl_logs where session_id = audit_sessions.id and timestamp > pg_catalog.now() - @silent_for offset 0)
          and not exists (
              select from audit_session_claims where session_id = audit_sessions.id and heartbeat_at > pg_catalog.now() - @silent_for offset 0
          )
        """;

    /// <summary>Returns the ids of those rows that began a while ago, and have had none of the statement's signs of life since.</summary>
    /// <param name="sql">The statement.</param>
    /// <param name="ids">Running rows.</param>
    /// <param name="silentFor">The time without a sign of life, by the database's clock.</param>
    /// <param name="transaction">The transaction of the page.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    public static async Task<IReadOnlySet<Guid>> FindSilentAsync(
        string sql, Guid[] ids, TimeSpan silentFor, NpgsqlTransaction transaction, CancellationToken cancellationToken)
    {
        var silent = new HashSet<Guid>();
        if (ids.Length == 0)
        {
            return silent;
        }

        var command = new NpgsqlCommand(sql, transaction.Connection, transaction);
        await using var commandDisposal = command.ConfigureAwait(false);
        command.Parameters.Add(new NpgsqlParameter("ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid) { Value = ids });
        command.Parameters.Add(new NpgsqlParameter("silent_for", NpgsqlDbType.Interval) { Value = silentFor });
        var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await using var readerDisposal = reader.ConfigureAwait(false);
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            silent.Add(reader.GetGuid(0));
        }

        return silent;
    }
}
