using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Dashboard.Reads;

/// <summary>Looks up some of a run's events, to show how they are spread over time. A count would read all of them.</summary>
/// <param name="time">Measures the age of earlier samples.</param>
internal sealed class EventSampler(TimeProvider time)
{
    internal const string RangeSql =
        """
        select (select id from crawl_events where crawl_id = @crawl_id order by crawl_id, id limit 1),
               (select id from crawl_events where crawl_id = @crawl_id order by crawl_id desc, id desc limit 1)
        """;

    internal const string FirstSql =
        """
        select id, id, event_type::text, pg_catalog.date_part('epoch', created_at)
        from crawl_events
        where crawl_id = @crawl_id
        order by crawl_id, id
        limit @limit
        """;

    // Each look-up descends the index once. A row comparison makes the planner begin there.
    internal const string SampleSql =
        """
        select asked.id, found.id, found.event_type::text, pg_catalog.date_part('epoch', found.created_at)
        from pg_catalog.unnest(@ids) with ordinality as asked (id, position)
        cross join lateral (
            select crawl_events.id, crawl_events.event_type, crawl_events.created_at
            from crawl_events
            where (crawl_events.crawl_id, crawl_events.id) >= (@crawl_id, asked.id)
              and (crawl_events.crawl_id, crawl_events.id) <= (@crawl_id, 9223372036854775807)
            order by crawl_events.crawl_id, crawl_events.id
            limit 1
        ) as found
        order by asked.position
        """;

    // They cost some 2,400 buffers in a run of a million events.
    private const int Most = 600;

    // .NET holds the years of these.
    private const double Earliest = -62_135_596_800;
    private const double Latest = 253_402_300_800;

    private static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(10);

    private readonly RunCache<EventSamples> cache = new();

    /// <summary>Reads samples, unless there are some that are a few seconds old, or to which no event was added.</summary>
    /// <returns>Null when the run has no events.</returns>
    public async Task<EventSamples?> ReadAsync(Guid runId, NpgsqlTransaction transaction, CancellationToken cancellationToken)
    {
        var kept = cache.Find(runId);
        if (kept is not null && time.GetElapsedTime(kept.ReadAt) < Lifetime)
        {
            return kept;
        }

        if (await ReadRangeAsync(runId, transaction, cancellationToken).ConfigureAwait(false) is not var (first, last))
        {
            return null;
        }

        if (kept is null || (kept.FirstId, kept.LastId) != (first, last))
        {
            var (items, isAll) = await SampleAsync(runId, first, last, transaction, cancellationToken).ConfigureAwait(false);
            kept = new EventSamples(first, last, isAll, items, 0);
        }

        kept = kept with { ReadAt = time.GetTimestamp() };
        cache.Keep(runId, kept);
        return kept;
    }

    private static async Task<(List<EventSample> Items, bool IsAll)> SampleAsync(
        Guid runId, long first, long last, NpgsqlTransaction transaction, CancellationToken cancellationToken)
    {
        var limit = new NpgsqlParameter("limit", NpgsqlDbType.Bigint) { Value = Most + 1L };
        var (items, count) = await ReadAsync(FirstSql, runId, limit, transaction, cancellationToken).ConfigureAwait(false);
        if (count <= Most)
        {
            return (items, true);
        }

        var ids = new NpgsqlParameter("ids", NpgsqlDbType.Array | NpgsqlDbType.Bigint) { Value = Spread(first, last) };
        (items, _) = await ReadAsync(SampleSql, runId, ids, transaction, cancellationToken).ConfigureAwait(false);
        return (items, false);
    }

    private static async Task<(long First, long Last)?> ReadRangeAsync(Guid runId, NpgsqlTransaction transaction, CancellationToken cancellationToken)
    {
        var command = new NpgsqlCommand(RangeSql, transaction.Connection, transaction);
        await using var commandDisposal = command.ConfigureAwait(false);
        command.Parameters.Add(new NpgsqlParameter("crawl_id", NpgsqlDbType.Uuid) { Value = runId });
        var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await using var readerDisposal = reader.ConfigureAwait(false);
        await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
        return reader.IsDBNull(0) ? null : (reader.GetInt64(0), reader.GetInt64(1));
    }

    private static async Task<(List<EventSample> Items, int Count)> ReadAsync(
        string sql, Guid runId, NpgsqlParameter parameter, NpgsqlTransaction transaction, CancellationToken cancellationToken)
    {
        var command = new NpgsqlCommand(sql, transaction.Connection, transaction);
        await using var commandDisposal = command.ConfigureAwait(false);
        command.Parameters.Add(new NpgsqlParameter("crawl_id", NpgsqlDbType.Uuid) { Value = runId });
        command.Parameters.Add(parameter);
        var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await using var readerDisposal = reader.ConfigureAwait(false);
        var items = new List<EventSample>();
        var count = 0;
        for (; await reader.ReadAsync(cancellationToken).ConfigureAwait(false); count++)
        {
            // Lists pass over an event with another time too.
            if (reader.GetDouble(3) is >= Earliest and < Latest and var seconds)
            {
                items.Add(new EventSample(
                    (double)reader.GetInt64(1) - reader.GetInt64(0), reader.GetString(2), DateTimeOffset.UnixEpoch.AddSeconds(seconds)));
            }
        }

        return (items, count);
    }

    // Both ends are among them. More events than these are in the range, so the ids differ.
    private static long[] Spread(long first, long last) =>
        [.. Enumerable.Range(0, Most).Select(step => (long)(first + (((Int128)last - first) * step / (Most - 1))))];
}
