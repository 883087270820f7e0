using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Dashboard.Reads;

/// <summary>Finds the screen that a crawl was on at an event. No index has the type, so it looks back over a bounded range of ids.</summary>
internal static class ScreenSearch
{
    // The events of a table lie in the order of their ids, so the range has few pages, whatever other crawls write between. A row comparison would not end the
    // scan of the index at the range's end.
    internal const string FindSql =
        """
        select id
        from crawl_events
        where crawl_id = @crawl_id and id > @after_id and id <= @up_to_id and event_type::text = any (@event_types)
        order by id desc
        limit 1
        """;

    private const long Reach = 1_000;

    /// <summary>Returns the id of the last event of one of the types, up to an event; null when none is near.</summary>
    public static async Task<long?> FindAsync(
        Guid crawlId, long eventId, IReadOnlyCollection<string> types, NpgsqlTransaction transaction, CancellationToken cancellationToken)
    {
        var command = new NpgsqlCommand(FindSql, transaction.Connection, transaction);
        await using var commandDisposal = command.ConfigureAwait(false);
        command.Parameters.Add(new NpgsqlParameter("crawl_id", NpgsqlDbType.Uuid) { Value = crawlId });
        command.Parameters.Add(new NpgsqlParameter("after_id", NpgsqlDbType.Bigint) { Value = Math.Max(eventId, long.MinValue + Reach) - Reach });
        command.Parameters.Add(new NpgsqlParameter("up_to_id", NpgsqlDbType.Bigint) { Value = eventId });
        command.Parameters.Add(new NpgsqlParameter("event_types", NpgsqlDbType.Array | NpgsqlDbType.Text) { Value = types.ToArray() });
        return (long?)await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false);
    }
}
