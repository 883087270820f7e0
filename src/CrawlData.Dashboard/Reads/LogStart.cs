using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Dashboard.Reads;

/// <summary>Finds where a follower of a session's log begins.</summary>
internal static class LogStart
{
    internal const string FindSql =
        """
        select case when pg_catalog.count(*) >= @most then pg_catalog.min(id) - 1 end
        from (
            select id from crawl_logs where session_id = @session_id order by session_id desc, timestamp desc, id desc limit @most
        ) as newest
        """;

    // As many as a follower reads at once.
    private const long Most = 1_000;

    /// <summary>Returns the id that is before the newest lines; null when there are no more lines than these. Then the follower begins before the first one,
    /// because a line with a lower id may still be committed.</summary>
    public static async Task<long?> FindAsync(Guid sessionId, NpgsqlTransaction transaction, CancellationToken cancellationToken)
    {
        var command = new NpgsqlCommand(FindSql, transaction.Connection, transaction);
        await using var commandDisposal = command.ConfigureAwait(false);
        command.Parameters.Add(new NpgsqlParameter("session_id", NpgsqlDbType.Uuid) { Value = sessionId });
        command.Parameters.Add(new NpgsqlParameter("most", NpgsqlDbType.Bigint) { Value = Most });
        return await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) as long?;
    }
}
