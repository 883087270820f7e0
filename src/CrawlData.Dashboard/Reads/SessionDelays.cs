using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Dashboard.Reads;

/// <summary>Tells until when sessions of a page are delayed, as a retry with a delay stores it.</summary>
internal static class SessionDelays
{
    internal const string FindSql =
        "select session_id, not_before from audit_session_claims where session_id = any (@ids) and not_before > pg_catalog.clock_timestamp()";

    /// <summary>Returns the times of those that are delayed.</summary>
    public static async Task<IReadOnlyDictionary<Guid, DateTimeOffset>> FindAsync(
        Guid[] sessionIds, NpgsqlTransaction transaction, CancellationToken cancellationToken)
    {
        var delays = new Dictionary<Guid, DateTimeOffset>();
        if (sessionIds.Length == 0)
        {
            return delays;
        }

        var command = new NpgsqlCommand(FindSql, transaction.Connection, transaction);
        await using var commandDisposal = command.ConfigureAwait(false);
        command.Parameters.Add(new NpgsqlParameter("ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid) { Value = sessionIds });
        var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await using var readerDisposal = reader.ConfigureAwait(false);
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            delays.Add(reader.GetGuid(0), reader.GetFieldValue<DateTimeOffset>(1));
        }

        return delays;
    }
}
