using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Dashboard.Reads;

/// <summary>Finds the events before and after one, without their payloads.</summary>
internal static class Neighbours
{
    // The subqueries spare look-ups while the server plans, as in EventSampler.
    internal const string FindSql =
        """
        select (
                   select id
                   from crawl_events
                   where (crawl_id, id) >= ((select @crawl_id), '-9223372036854775808'::bigint)
                     and (crawl_id, id) < ((select @crawl_id), @event_id)
                   order by crawl_id desc, id desc
                   limit 1
               ),
               (
                   select id
                   from crawl_events
                   where (crawl_id, id) > ((select @crawl_id), @event_id)
                     and (crawl_id, id) <= ((select @crawl_id), 9223372036854775807)
                   order by crawl_id, id
                   limit 1
               )
        """;

    /// <summary>Returns the ids; null at the end of the crawl.</summary>
    public static async Task<(long? Previous, long? Next)> FindAsync(
        Guid crawlId, long eventId, NpgsqlTransaction transaction, CancellationToken cancellationToken)
    {
        var command = new NpgsqlCommand(FindSql, transaction.Connection, transaction);
        await using var commandDisposal = command.ConfigureAwait(false);
        command.Parameters.Add(new NpgsqlParameter("crawl_id", NpgsqlDbType.Uuid) { Value = crawlId });
        command.Parameters.Add(new NpgsqlParameter("event_id", NpgsqlDbType.Bigint) { Value = eventId });
        var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await using var readerDisposal = reader.ConfigureAwait(false);
        await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
        return (reader.IsDBNull(0) ? null : reader.GetInt64(0), reader.IsDBNull(1) ? null : reader.GetInt64(1));
    }
}
