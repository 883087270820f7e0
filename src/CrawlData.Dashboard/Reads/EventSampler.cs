using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Dashboard.Reads;

/// <summary>Looks up some of a run's events, to show how they are spread over time. A count would read all of them.</summary>
/// <param name="time">Measures the age of earlier samples.</param>
internal sealed class EventSampler(TimeProvider time)
{
    // Row comparisons, because with an equality the server may scan the primary key.
    private const string OfCrawl = "(crawl_id, id) >= (@crawl_id, '-9223372036854775808'::bigint) and (crawl_id, id) <= (@crawl_id, 9223372036854775807)";

    internal const string RangeSql =
        $"""
        select (select id from crawl_events where {OfCrawl} order by crawl_id, id limit 1),
               (select id from crawl_events where {OfCrawl} order by crawl_id desc, id desc limit 1)
        """;

    // For the newest crawl or the oldest one, the server looks up the ends of the index while it plans: 5 pages a comparison, as many as the events
    // themselves. With a subquery it plans for any crawl.
    internal const string FromSql =
        """
        select id, id, event_type::text, created_at
        from crawl_events
        where (crawl_id, id) >= ((select @crawl_id), @first_id) and (crawl_id, id) <= ((select @crawl_id), 9223372036854775807)
        order by crawl_id, id
        limit @limit
        """;

    // Each look-up descends the index once.
    internal const string SampleSql =
        """
        select asked.id, found.id, found.event_type::text, found.created_at
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

    // So many events are read around the place where a time should be. It costs 10 buffers of a run that has a tenth of the ids, and a search needs 45.
    private const int Around = 24;

    // In a range of so many ids, a search is as cheap.
    private const int NearIds = 2_048;

    // Samples on either side that tell how far the run's ids are from one another.
    private const int Neighbours = 8;

    // So many of a run's first events tell which types it has.
    private const int MostFirst = 100;

    private static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(10);

    // A time comes as microseconds since then.
    private static readonly DateTimeOffset Epoch = new(2000, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly long Earliest = (DateTimeOffset.MinValue - Epoch).Ticks / TimeSpan.TicksPerMicrosecond;
    private static readonly long Latest = (DateTimeOffset.MaxValue - Epoch).Ticks / TimeSpan.TicksPerMicrosecond;

    private readonly RunCache<EventSamples> cache = new();
    private readonly RunCache<IReadOnlySet<string>> firstTypes = new();

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

    /// <summary>Tells where a run reaches a time, by the samples that are kept, and by events near the place where it is when events come evenly. Events do not
    /// change, so the age of the samples does not count.</summary>
    public async Task<EventPlace> FindAsync(Guid runId, DateTimeOffset time, NpgsqlTransaction transaction, CancellationToken cancellationToken)
    {
        // As precise as the database.
        time = time.AddTicks(-(time.UtcTicks % TimeSpan.TicksPerMicrosecond));
        if (cache.Find(runId)?.Items is not { Count: > 0 } samples)
        {
            return default;
        }

        var index = samples.TakeWhile(sample => sample.Time < time).Count();
        if (index == 0 || index == samples.Count)
        {
            return new EventPlace(null, index == 0 ? null : samples[^1].Id, index == 0 ? samples[0].Id : null);
        }

        var (before, after) = (samples[index - 1], samples[index]);
        var ids = (double)after.Id - before.Id;
        if (ids <= NearIds)
        {
            return new EventPlace(null, before.Id, after.Id);
        }

        // A half of the events that are read is before the place.
        var place = ids * ((time - before.Time) / (after.Time - before.Time));
        var distance = 1 + samples.Skip(index - Neighbours).Take(2 * Neighbours).Average(sample => sample.Gap);
        var from = before.Id + (long)Math.Max(0, place - (distance * Around / 2));
        var near = (await ReadFromAsync(runId, from, Around, transaction, cancellationToken).ConfigureAwait(false)).Items;
        var at = near.FindIndex(sample => sample.Time >= time);
        return at switch
        {
            < 0 => new EventPlace(null, near.Count == 0 ? before.Id : Math.Max(before.Id, near[^1].Id), after.Id),
            0 => new EventPlace(null, before.Id, Math.Min(near[0].Id, after.Id)),
            _ => new EventPlace(near[at].Id, null, null),
        };
    }

    /// <summary>Returns the types of a run's first 100 events. Once there are so many, they do not change.</summary>
    public async Task<IReadOnlySet<string>> ReadFirstTypesAsync(Guid runId, NpgsqlTransaction transaction, CancellationToken cancellationToken)
    {
        if (firstTypes.Find(runId) is { } kept)
        {
            return kept;
        }

        var (items, count) = await ReadFromAsync(runId, long.MinValue, MostFirst, transaction, cancellationToken).ConfigureAwait(false);
        var types = items.Select(one => one.EventType).ToHashSet();
        if (count == MostFirst)
        {
            firstTypes.Keep(runId, types);
        }

        return types;
    }

    private static async Task<(List<EventSample> Items, bool IsAll)> SampleAsync(
        Guid runId, long first, long last, NpgsqlTransaction transaction, CancellationToken cancellationToken)
    {
        var (items, count) = await ReadFromAsync(runId, long.MinValue, Most + 1, transaction, cancellationToken).ConfigureAwait(false);
        if (count <= Most)
        {
            return (items, true);
        }

        var ids = new NpgsqlParameter("ids", NpgsqlDbType.Array | NpgsqlDbType.Bigint) { Value = Spread(first, last) };
        (items, _) = await ReadAsync(SampleSql, runId, transaction, cancellationToken, ids).ConfigureAwait(false);
        return (items, false);
    }

    private static Task<(List<EventSample> Items, int Count)> ReadFromAsync(
        Guid runId, long firstId, int most, NpgsqlTransaction transaction, CancellationToken cancellationToken) =>
        ReadAsync(
            FromSql,
            runId,
            transaction,
            cancellationToken,
            new NpgsqlParameter("first_id", NpgsqlDbType.Bigint) { Value = firstId },
            new NpgsqlParameter("limit", NpgsqlDbType.Bigint) { Value = (long)most });

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
        string sql, Guid runId, NpgsqlTransaction transaction, CancellationToken cancellationToken, params NpgsqlParameter[] parameters)
    {
        var command = new NpgsqlCommand(sql, transaction.Connection, transaction);
        await using var commandDisposal = command.ConfigureAwait(false);
        command.Parameters.Add(new NpgsqlParameter("crawl_id", NpgsqlDbType.Uuid) { Value = runId });
        command.Parameters.AddRange(parameters);
        var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await using var readerDisposal = reader.ConfigureAwait(false);
        var items = new List<EventSample>();
        var count = 0;
        for (; await reader.ReadAsync(cancellationToken).ConfigureAwait(false); count++)
        {
            // Lists pass over an event with another time too.
            var (asked, id, time) = (reader.GetInt64(0), reader.GetInt64(1), reader.GetFieldValue<long>(3));
            if (time >= Earliest && time <= Latest)
            {
                items.Add(new EventSample(id, (double)id - asked, reader.GetString(2), Epoch.AddTicks(time * TimeSpan.TicksPerMicrosecond)));
            }
        }

        return (items, count);
    }

    // Both ends are among them. More events than these are in the range, so the ids differ.
    private static long[] Spread(long first, long last) =>
        [.. Enumerable.Range(0, Most).Select(step => (long)(first + (((Int128)last - first) * step / (Most - 1))))];
}
