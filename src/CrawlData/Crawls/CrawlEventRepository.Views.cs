using System.Data.Common;
using CrawlData.Storage;
using Npgsql;
using NpgsqlTypes;
using static CrawlData.Crawls.CrawlEventStatements;

namespace CrawlData.Crawls;

/// <summary>Reads for people who look at crawls: the newest events, a time, the last sign of life, counts, and the difference of two crawls.</summary>
public sealed partial class CrawlEventRepository
{
    internal const string ReadNewestSql = $"select {ReadColumns} from crawl_events {Condition} order by crawl_id desc, id desc limit @limit";

    internal const string ReadNewestByCrawlSql = $"select {ReadColumns} from crawl_events {ConditionByCrawl} order by crawl_id desc, id desc limit @limit";

    // A bisection of the ids. All events that were found below "low" are before the time, and the first event from "high" on is not. A range of at most 258 ids
    // is read in order, which costs less than the look-ups that would halve it. The shifts cannot overflow. Upper bounds are at the crawl's end: where an id is
    // the bound of a row comparison, the server reads the index beyond it, up to the crawl's end.
    internal const string FirstAtSql =
        $"""
        with recursive search (low, high) as (
            select coalesce(@after_id + 1, (select id from crawl_events where {OfCrawl} order by crawl_id, id limit 1)), last.id
            from (
                select id, created_at
                from crawl_events
                where (crawl_id, id) >= ({AskedCrawl}, '-9223372036854775808'::bigint) and (crawl_id, id) <= ({AskedCrawl}, @up_to_id)
                order by crawl_id desc, id desc
                limit 1
            ) as last
            where last.created_at >= @created_from and (@after_id is null or last.id > @after_id)
            union all
            select case when step.is_before then probe.id + 1 else search.low end, case when step.is_before then search.high else middle.id end
            from search
            cross join lateral (select (search.low >> 1) + (search.high >> 1) as id) as middle
            cross join lateral (
                select crawl_events.id, crawl_events.created_at
                from crawl_events
                where (crawl_events.crawl_id, crawl_events.id) >= ({AskedCrawl}, middle.id)
                  and (crawl_events.crawl_id, crawl_events.id) <= ({AskedCrawl}, 9223372036854775807)
                order by crawl_events.crawl_id, crawl_events.id
                limit 1
            ) as probe
            cross join lateral (select probe.id < search.high and probe.created_at < @created_from as is_before) as step
            where (search.high >> 1) - (search.low >> 1) > 128
        )
        select found.*
        from (select pg_catalog.max(low) as low from search having pg_catalog.count(*) > 0) as range
        cross join lateral (
            select {Columns}
            from (
                select {Columns}
                from crawl_events
                where (crawl_id, id) >= ({AskedCrawl}, range.low)
                  and (crawl_id, id) <= ({AskedCrawl}, 9223372036854775807)
                order by crawl_id, id
                limit 258
            ) as near
            where created_at >= @created_from
            order by crawl_id, id
            limit 1
        ) as found
        """;

    // Where each crawl has a node of its own. It reads the crawl up to the time.
    internal const string FirstAtByCrawlSql =
        $"""
        select {Columns} from crawl_events
        where crawl_id = any (array[@crawl_id]) and (@after_id is null or id > @after_id) and id <= @up_to_id and created_at >= @created_from
        order by crawl_id, id limit 1
        """;

    internal const string LastOfEachSql =
        """
        select last.id, last.crawl_id, last.event_type, last.created_at, pg_catalog.timezone('utc', pg_catalog.now())
        from pg_catalog.unnest(@ids) as asked (crawl_id)
        cross join lateral (
            select crawl_events.id, crawl_events.crawl_id, crawl_events.event_type, crawl_events.created_at
            from crawl_events
            where (crawl_events.crawl_id, crawl_events.id) >= (asked.crawl_id, '-9223372036854775808'::bigint)
              and (crawl_events.crawl_id, crawl_events.id) <= (asked.crawl_id, 9223372036854775807)
            order by crawl_events.crawl_id desc, crawl_events.id desc
            limit 1
        ) as last
        """;

    // As above, where each crawl has a node of its own: Citus sees by the equality that a run's events are beside it.
    internal const string LastOfEachByCrawlSql =
        """
        select last.id, last.crawl_id, last.event_type, last.created_at, pg_catalog.timezone('utc', pg_catalog.now())
        from crawl_runs
        cross join lateral (
            select id, crawl_id, event_type, created_at
            from crawl_events where crawl_id = crawl_runs.id order by crawl_id desc, id desc limit 1
        ) as last
        where crawl_runs.id = any (@ids)
        """;

    internal const string SummarizeSql =
        $"""
        select event_type, pg_catalog.count(*), pg_catalog.max(id),
               pg_catalog.min(created_at) filter (where created_at >= '0001-01-01' and created_at < '10000-01-01'),
               pg_catalog.max(created_at) filter (where created_at >= '0001-01-01' and created_at < '10000-01-01')
        from (select id, event_type, created_at from crawl_events {Condition} order by crawl_id, id limit @limit) as counted
        group by event_type
        """;

    // The sort holds a hash of what is compared, and not the payloads. Payloads are read again for the keys that changed.
    internal const string CompareSql =
        """
        with keyed as (
            select distinct on (crawl_id, event_type, key) crawl_id, event_type, key, id, hash
            from (
                select crawl_id, event_type::text, payload ->> @key as key, id,
                       pg_catalog.sha256(pg_catalog.convert_to(
                           case
                               when @properties is null then payload::text
                               else array(
                                   select payload -> asked.property
                                   from pg_catalog.unnest(@properties) with ordinality as asked (property, position)
                                   order by asked.position)::text
                           end,
                           'UTF8')) as hash
                from crawl_events
                where crawl_id = any (@ids)
                  and (@event_types is null or event_type::text = any (@event_types))
                  and payload ->> @key is not null
            ) as events
            order by crawl_id, event_type, key, id desc
        )
        select older.id, newer.id, coalesce(older.event_type, newer.event_type) as event_type, coalesce(older.key, newer.key) as key,
               array(
                   select property
                   from pg_catalog.jsonb_object_keys(older_event.payload || newer_event.payload) as property
                   where older_event.payload -> property is distinct from newer_event.payload -> property
                     and (@properties is null or property = any (@properties))
                   order by property)
        from (select * from keyed where crawl_id = @older_id) as older
        full join (select * from keyed where crawl_id = @newer_id) as newer on older.event_type = newer.event_type and older.key = newer.key
        left join crawl_events as older_event on newer.id is not null and older_event.id = older.id
        left join crawl_events as newer_event on older.id is not null and newer_event.id = newer.id
        where older.hash is distinct from newer.hash
        order by event_type, key
        """;

    internal const string NewestIdSql = "select pg_catalog.max(id) from crawl_events";

    /// <summary>Lists a crawl's events in the reverse order of their ids, the newest first, a page at a time.</summary>
    /// <remarks>For the events before an event, set <see cref="CrawlEventFilter.UpToId"/> to its id minus 1. Events that are appended meanwhile do not change
    /// later pages.</remarks>
    /// <param name="crawlId">The crawl. An unknown crawl has no events.</param>
    /// <param name="filter">Which events; all when null. Pass the same filter with every page of a listing.</param>
    /// <param name="pageSize">The most events on the page, 1 to <see cref="MaxPageSize"/>.</param>
    /// <param name="cursor">The last page's <see cref="Page{T}.NextCursor"/>; null for the first page.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <exception cref="ArgumentOutOfRangeException">The page size is out of range.</exception>
    /// <exception cref="InvalidValueException">The cursor is not one that this method returned for this crawl.</exception>
    /// <example>
    /// <code>
    /// var newest = await events.ListNewestAsync(crawlId, pageSize: 100);
    /// var before = await events.ListNewestAsync(crawlId, new CrawlEventFilter { UpToId = eventId - 1 }, pageSize: 100);
    /// </code>
    /// </example>
    public async Task<Page<CrawlEvent>> ListNewestAsync(
        Guid crawlId,
        CrawlEventFilter? filter = null,
        int pageSize = 1_000,
        string? cursor = null,
        NpgsqlTransaction? transaction = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentRange.Require(pageSize, 1, MaxPageSize);
        filter ??= CrawlEventFilter.All;
        if (cursor is not null)
        {
            // The cursor holds the id of the page's last event.
            var last = KeysetCursor<long>.Decode(cursor, CursorKind.EventsNewestFirst, crawlId).Id;
            filter = filter with { UpToId = Math.Min(filter.UpToId ?? long.MaxValue, last == long.MinValue ? last : last - 1) };
        }

        return await reads.QueryPageAsync(
            await ChooseAsync(ReadNewestSql, ReadNewestByCrawlSql, transaction, cancellationToken).ConfigureAwait(false),
            ToFilterParameters(crawlId, filter),
            pageSize,
            Map(),
            row => new KeysetCursor<long>(default, row.GetInt64(0)),
            Bytes,
            last => last.Encode(CursorKind.EventsNewestFirst, crawlId),
            PassedOver(),
            transaction,
            cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Gets the event at which a crawl reaches a time: its <see cref="CrawlEvent.CreatedAt"/> is at the time or later, and the event before it is
    /// earlier.</summary>
    /// <remarks>It looks at some 20 events of a crawl of a million. It halves the range of ids, so it relies on times that rise with the ids. Where a caller
    /// gave other times, several events may be such an event, and it returns one of them.</remarks>
    /// <param name="crawlId">The crawl.</param>
    /// <param name="time">The time. It may have any offset.</param>
    /// <param name="afterId">Searches only events with a greater id; all when null. The id of an earlier event saves look-ups.</param>
    /// <param name="upToId">Searches only events with this id or a lower one; all when null.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <returns>The event; null when the last of the events is earlier, or when there is none.</returns>
    /// <exception cref="InvalidValueException">The time is <see cref="DateTimeOffset.MinValue"/> or <see cref="DateTimeOffset.MaxValue"/>.</exception>
    /// <exception cref="UnreadableRowException">This version, or .NET, cannot hold a value of the row.</exception>
    public async Task<CrawlEvent?> GetFirstAtAsync(
        Guid crawlId,
        DateTimeOffset time,
        long? afterId = null,
        long? upToId = null,
        NpgsqlTransaction? transaction = null,
        CancellationToken cancellationToken = default)
    {
        var parameters = new Parameters
        {
            { "crawl_id", NpgsqlDbType.Uuid, crawlId },
            { "created_from", NpgsqlDbType.Timestamp, Instant.From(Timestamps.Require(time, "time")) },
            { "after_id", NpgsqlDbType.Bigint, afterId },
            { "up_to_id", NpgsqlDbType.Bigint, upToId ?? long.MaxValue },
        };

        // No event follows the greatest id.
        return afterId == long.MaxValue
            ? null
            : await reads.QuerySingleOrDefaultAsync(
                await ChooseAsync(FirstAtSql, FirstAtByCrawlSql, transaction, cancellationToken).ConfigureAwait(false),
                parameters,
                Map(),
                transaction,
                cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Gets the last event of each of several crawls, without its payload. The age shows which running crawl is silent.</summary>
    /// <param name="crawlIds">The crawls, such as those of a page of <see cref="CrawlRunRepository.ListAsync"/>.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <returns>The last event by crawl. A crawl without events, and an unknown crawl, is missing.</returns>
    /// <example>
    /// <code>
    /// var page = await runs.ListAsync(new CrawlRunFilter { Statuses = [CrawlStatus.Running] });
    /// var last = await events.GetLastOfEachAsync(page.Items.Select(run => run.Id));
    /// </code>
    /// </example>
    public async Task<IReadOnlyDictionary<Guid, LastCrawlEvent>> GetLastOfEachAsync(
        IEnumerable<Guid> crawlIds, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(crawlIds);
        var parameters = new Parameters { { "ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, crawlIds.Distinct().ToArray() } };
        var sql = await ChooseAsync(LastOfEachSql, LastOfEachByCrawlSql, transaction, cancellationToken).ConfigureAwait(false);
        var rows = await reads.QueryReadableAsync(sql, parameters, MapLast, PassedOver(), transaction, cancellationToken).ConfigureAwait(false);
        return rows.ToDictionary(last => last.CrawlId);
    }

    /// <summary>Counts a crawl's events by type, up to a number of events. A later call continues the summary, while the crawl runs or where the limit ended
    /// it: it reads only the events that followed.</summary>
    /// <remarks>No event is missed or counted twice. It relies on the <b>Order</b> of this class.</remarks>
    /// <param name="crawlId">The crawl. An unknown crawl has no events.</param>
    /// <param name="previous">The summary to continue; null to count from the first event.</param>
    /// <param name="maxEvents">The most events that this call reads, 1 or more.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <returns>The summary of all events that were counted, by this call and before.</returns>
    /// <exception cref="ArgumentException">The summary to continue is another crawl's.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The limit is less than 1.</exception>
    /// <example>
    /// <code>
    /// var summary = await events.SummarizeAsync(crawlId);
    /// summary = await events.SummarizeAsync(crawlId, summary); // reads the events that followed
    /// </code>
    /// </example>
    public async Task<CrawlEventSummary> SummarizeAsync(
        Guid crawlId,
        CrawlEventSummary? previous = null,
        int maxEvents = 100_000,
        NpgsqlTransaction? transaction = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentRange.RequireAtLeastOne(maxEvents);
        if (previous is not null && previous.CrawlId != crawlId)
        {
            throw new ArgumentException("The summary is another crawl's.", nameof(previous));
        }

        var rows = await reads.QueryAsync(
            SummarizeSql,
            ToReadParameters(crawlId, null, previous?.LastId, maxEvents),
            row => (Type: row.GetString(0), Count: row.GetInt64(1), LastId: row.GetInt64(2), First: ToTime(row, 3), Last: ToTime(row, 4)),
            transaction,
            cancellationToken).ConfigureAwait(false);
        var counts = new Dictionary<string, long>(previous?.CountByType ?? new Dictionary<string, long>());
        foreach (var row in rows)
        {
            counts[row.Type] = counts.GetValueOrDefault(row.Type) + row.Count;
        }

        return new CrawlEventSummary
        {
            CrawlId = crawlId,
            Count = counts.Values.Sum(),
            CountByType = counts,
            FirstCreatedAt = rows.Select(row => row.First).Append(previous?.FirstCreatedAt).Min(),
            LastCreatedAt = rows.Select(row => row.Last).Append(previous?.LastCreatedAt).Max(),
            LastId = rows.Count == 0 ? previous?.LastId : rows.Max(row => row.LastId),
            IsComplete = rows.Sum(row => row.Count) < maxEvents,
        };

        static DateTimeOffset? ToTime(DbDataReader row, int ordinal) => row.IsDBNull(ordinal) ? null : row.GetInstant(ordinal).ToDateTimeOffset();
    }

    /// <summary>Compares two crawls by a key of their events, such as the URL: which keys were added, removed or changed.</summary>
    /// <remarks>
    /// <para>Of the events of one type and one key, the last of each crawl counts. Values are compared as the database shows them, so 1.0 and 1.00 differ. A
    /// crawl that still runs is compared as it is at the time of the query.</para>
    /// <para>It is one query with one snapshot, which reads all events of both crawls. One connection is held during the enumeration. Leaving early cancels
    /// the query.</para>
    /// </remarks>
    /// <param name="olderId">The older crawl. An unknown crawl has no events.</param>
    /// <param name="newerId">The newer crawl. An unknown crawl has no events.</param>
    /// <param name="options">What is compared; the defaults when null.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Ends the enumeration with <see cref="OperationCanceledException"/>.</param>
    /// <returns>The differences, by event type and key. Keys that did not change are left out.</returns>
    /// <example>
    /// <code>
    /// var options = new CrawlComparisonOptions { EventTypes = ["page.opened"], Key = "url", Properties = ["title", "status"] };
    /// await foreach (var difference in events.CompareAsync(yesterday.Id, today.Id, options))
    /// {
    ///     Console.WriteLine($"{difference.Kind} {difference.Key}");
    /// }
    /// </code>
    /// </example>
    public IAsyncEnumerable<CrawlDifference> CompareAsync(
        Guid olderId,
        Guid newerId,
        CrawlComparisonOptions? options = null,
        NpgsqlTransaction? transaction = null,
        CancellationToken cancellationToken = default)
    {
        options ??= CrawlComparisonOptions.Default;
        return reads.StreamAsync<CrawlDifference>(
            CompareSql,
            () => new Parameters
            {
                { "key", NpgsqlDbType.Text, options.Key },
                { "properties", NpgsqlDbType.Array | NpgsqlDbType.Text, options.Properties?.ToArray() },
                { "event_types", NpgsqlDbType.Array | NpgsqlDbType.Text, options.EventTypes?.ToArray() },
                { "ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, new[] { olderId, newerId } },
                { "older_id", NpgsqlDbType.Uuid, olderId },
                { "newer_id", NpgsqlDbType.Uuid, newerId },
            },
            () => MapDifference,
            null,
            transaction,
            cancellationToken);
    }

    /// <summary>Gets a cursor after the newest event of all crawls, to follow all crawls from now on.</summary>
    /// <remarks>It is read from the primary. A transaction that is appending at that moment may have drawn lower ids: its events may be left out.</remarks>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <returns>The cursor, for <see cref="FollowAllAsync"/> and <see cref="ListAllAsync"/>; null when there is no event.</returns>
    public async Task<string?> GetNewestCursorAsync(CancellationToken cancellationToken = default) =>
        await dataSource.QuerySingleAsync(NewestIdSql, null, row => row.GetNullable<long?>(0), null, cancellationToken).ConfigureAwait(false) is { } id
            ? new KeysetCursor<long>(default, id).Encode(CursorKind.AllEvents)
            : null;

    private async ValueTask<string> ChooseAsync(string sql, string byCrawl, NpgsqlTransaction? transaction, CancellationToken cancellationToken) =>
        (await CrawlDistribution.OfAsync(reads, transaction, cancellationToken).ConfigureAwait(false)).IsByCrawl ? byCrawl : sql;

    private static LastCrawlEvent MapLast(DbDataReader row)
    {
        var createdAt = row.GetTime(EventsTable, 3);
        return new LastCrawlEvent
        {
            Id = row.GetInt64(0),
            CrawlId = row.GetGuid(1),
            EventType = row.GetString(2),
            CreatedAt = createdAt,
            Age = row.GetInstant(4).ToDateTimeOffset() - createdAt,
        };
    }

    private static CrawlDifference MapDifference(DbDataReader row)
    {
        var (older, newer) = (row.GetNullable<long?>(0), row.GetNullable<long?>(1));
        return new CrawlDifference
        {
            Kind = older is null ? CrawlDifferenceKind.Added : newer is null ? CrawlDifferenceKind.Removed : CrawlDifferenceKind.Changed,
            EventType = row.GetString(2),
            Key = row.GetString(3),
            OlderEventId = older,
            NewerEventId = newer,
            ChangedProperties = row.GetFieldValue<string[]>(4),
        };
    }
}
