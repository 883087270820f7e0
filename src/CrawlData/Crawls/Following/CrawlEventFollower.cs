using System.Runtime.CompilerServices;
using CrawlData.Instrumentation;
using CrawlData.Storage;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Crawls;

/// <summary>Polls for events after a cursor. <see cref="CrawlEventRepository.ListAllAsync"/> explains why none is missed.</summary>
/// <param name="dataSource">The application's data source.</param>
/// <param name="retry">Which errors of a read are transient, and for how long it is retried.</param>
/// <param name="timeProvider">Measures the pauses between reads.</param>
/// <param name="telemetry">Counts the events that followers read.</param>
/// <param name="logger">Logs when the listener connects, and its errors.</param>
internal sealed class CrawlEventFollower(
    NpgsqlDataSource dataSource, RetryPolicy retry, TimeProvider timeProvider, Telemetry telemetry, ILogger logger)
{
    // One statement, so that one server answers it: behind a router that sends each statement to a server of its choice, two statements would not agree. The
    // first row tells where the table ends, and the others are the events up to a mark that an earlier statement found. No parallel plan reorders the rows,
    // because pg_sequence_last_value allows none. The last value is null before the first id is drawn. On newer servers it is also null for a role without
    // rights on the sequence. The writers are read after the statement's snapshot. The mark is valid on the server that it was found on.
    internal const string ReadAllSql =
        $"""
        select newest_id, last_id, pg_catalog.pg_is_in_recovery(),
               case when @is_waiting or newest_id > greatest(@after_id, @up_to_id) then (
                   select coalesce(pg_catalog.string_agg(distinct virtualtransaction, ' '), '')
                   from pg_locks
                   where locktype = 'relation'
                     and database = (select oid from pg_database where datname = pg_catalog.current_database())
                     and relation = 'crawl_events'::regclass::oid
                     and mode = 'RowExclusiveLock'
                     and granted
               ) end,
               pg_catalog.pg_postmaster_start_time(), null as id, null as crawl_id, null as event_type, null as payload, null as created_at
        from (
            select coalesce(pg_catalog.max(id), 0) as newest_id,
                   coalesce(
                       pg_catalog.pg_sequence_last_value('crawl_events_id_seq'),
                       case when pg_catalog.has_sequence_privilege('crawl_events_id_seq', 'usage, select') then 0 end) as last_id
            from crawl_events
        ) as newest
        union all
        (
            select null, null, null, null, null, {CrawlEventStatements.Columns}
            from crawl_events
            where id > @after_id and id <= @up_to_id and pg_catalog.pg_postmaster_start_time() = @server_start
            order by id
            limit @limit
        )
        """;

    private const int ReadAllColumns = 5;

    private const string RunState =
        "(select status::text in ('COMPLETED', 'FAILED', 'CANCELLED') from crawl_runs where id = @crawl_id) as has_ended, "
        + "pg_catalog.pg_is_in_recovery() as is_standby";

    // One statement, and so one snapshot: the events of a run that has ended are complete. The join has one row on its left side, and keeps the events' order.
    internal const string FollowSql =
        $"""
        select run.*, events.*
        from (select {RunState}, null::bigint as newest_id, null::bigint as last_id) as run
        left join ({CrawlEventStatements.ReadSql}) as events on true
        """;

    // As above, with the crawl's newest id and the sequence's last. If the sequence was set back, new events get ids that the reader has passed.
    internal const string FollowCheckedSql =
        $"""
        select run.*, events.*
        from (
            select {RunState},
                   (select id from crawl_events where crawl_id = @crawl_id order by crawl_id desc, id desc limit 1) as newest_id,
                   case
                       when pg_catalog.has_sequence_privilege('crawl_events_id_seq', 'usage, select')
                       then coalesce(pg_catalog.pg_sequence_last_value('crawl_events_id_seq'), 0)
                   end as last_id
        ) as run
        left join ({CrawlEventStatements.ReadSql}) as events on true
        """;

    private const int FollowColumns = 4;

    // The check makes a read an eighth longer. So one of this many reads checks, and the first.
    private const int ReadsPerCheck = 32;

    // A single read waits this long for open transactions beside the newest event.
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(1);

    /// <summary>The bytes of payloads at which a read ends early.</summary>
    internal long PageBytes { get; init; } = PageBuilder.MaxBytes;

    /// <summary>Follows a crawl until its run has ended.</summary>
    public async IAsyncEnumerable<CrawlEvent> FollowAsync(
        Guid crawlId, long? afterId, CrawlEventFollowOptions options, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var pauses = Pauses(crawlId, options);
        for (var reads = 0L; ; reads++)
        {
            var checks = reads % ReadsPerCheck == 0;
            var (page, ended) = await StandbyReadException.RetryAsync(
                retry, dataSource, () => ReadAsync(crawlId, afterId, options.PageSize, checks, cancellationToken), cancellationToken).ConfigureAwait(false);
            Count(page.Events);
            foreach (var crawlEvent in page.Events)
            {
                yield return crawlEvent;
                cancellationToken.ThrowIfCancellationRequested();
                afterId = crawlEvent.Id;
            }

            afterId = page.LastId ?? afterId;
            var hadEvents = page.Events.Count > 0;

            // Otherwise the next read would hold two pages.
            page.Events.Clear();
            if (!page.IsFull)
            {
                if (ended)
                {
                    yield break;
                }

                await pauses.ForEventsAsync(hadEvents, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Follows all crawls.</summary>
    public async IAsyncEnumerable<CrawlEventBatch> FollowAllAsync(
        string? cursor, CrawlEventFollowOptions options, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var afterId = Decode(cursor);
        using var pauses = Pauses(crawlId: null, options);
        var mark = new HighWaterMark();
        while (true)
        {
            var upToId = mark.Id;
            var (events, lastId, isFull) = await ReadAllAsync(mark, afterId, options.PageSize, cancellationToken).ConfigureAwait(false);
            Count(events);
            afterId = lastId ?? afterId;
            if (events.Count > 0)
            {
                yield return Batch(events, afterId);
                cancellationToken.ThrowIfCancellationRequested();
            }

            if (isFull || mark.Id > upToId)
            {
                // There are, or may be, further events up to the mark.
                continue;
            }

            await (mark.IsHeldBack
                ? pauses.ForTransactionsAsync(hadEvents: events.Count > 0, cancellationToken)
                : pauses.ForEventsAsync(hadEvents: events.Count > 0, cancellationToken)).ConfigureAwait(false);
        }
    }

    /// <summary>Reads events of all crawls once.</summary>
    public async Task<CrawlEventBatch> ListAllAsync(string? cursor, int limit, CancellationToken cancellationToken)
    {
        var afterId = Decode(cursor);
        var mark = new HighWaterMark();
        var started = timeProvider.GetTimestamp();
        using var pauses = new FollowPauses(CrawlEventFollowOptions.Default, subscription: null, timeProvider);
        while (true)
        {
            var upToId = mark.Id;
            var (events, lastId, _) = await ReadAllAsync(mark, afterId, limit, cancellationToken).ConfigureAwait(false);
            afterId = lastId ?? afterId;
            if (events.Count > 0)
            {
                return Batch(events, afterId);
            }

            if (lastId is not null)
            {
                // All events of the page were passed over.
                continue;
            }

            if (mark.IsHeldBack && timeProvider.GetElapsedTime(started) <= LongestWait)
            {
                await pauses.ForTransactionsAsync(hadEvents: false, cancellationToken).ConfigureAwait(false);
            }
            else if (mark.Id == upToId)
            {
                return Batch(events, afterId);
            }
        }
    }

    private FollowPauses Pauses(Guid? crawlId, CrawlEventFollowOptions options) =>
        new(options, options.Listen ? CrawlEventListener.Subscribe(dataSource, crawlId, timeProvider, logger) : null, timeProvider);

    private static long Decode(string? cursor) => cursor is null ? 0 : KeysetCursor<long>.Decode(cursor, CursorKind.AllEvents).Id;

    private static CrawlEventBatch Batch(List<CrawlEvent> events, long lastId) =>
        new() { Events = events, Cursor = new KeysetCursor<long>(default, lastId).Encode(CursorKind.AllEvents) };

    /// <summary>Reads events up to the mark, and then advances the mark as far as it goes.</summary>
    private Task<EventPage> ReadAllAsync(HighWaterMark mark, long afterId, int limit, CancellationToken cancellationToken) =>
        StandbyReadException.RetryAsync(retry, dataSource, () => dataSource.UseAsync(null, async connection =>
        {
            var parameters = new Parameters
            {
                { "is_waiting", NpgsqlDbType.Boolean, mark.IsHeldBack },
                { "after_id", NpgsqlDbType.Bigint, afterId },
                { "up_to_id", NpgsqlDbType.Bigint, mark.Id },
                { "server_start", NpgsqlDbType.TimestampTz, mark.ServerStart },
                { "limit", NpgsqlDbType.Bigint, (long)limit },
            };
            var command = new NpgsqlCommand(Sql.AtReadCommitted(ReadAllSql), connection);
            await using var commandDisposal = command.ConfigureAwait(false);
            parameters.AddTo(command);
            var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
                var (newest, last, writing, start) = (
                    reader.GetInt64(0), reader.GetNullable<long?>(1), reader.GetNullable<string>(3), reader.GetInstant(4));
                Check(afterId, newest, last, isStandby: reader.GetBoolean(2));
                if (!mark.TryBegin(start, last))
                {
                    return new EventPage([], LastId: null, IsFull: false);
                }

                var page = await EventPage.ReadAsync(command, reader, ReadAllColumns, limit, PageBytes, PassedOver(), cancellationToken).ConfigureAwait(false);
                if (writing is not null)
                {
                    mark.Advance(newest, [.. writing.Split(' ', StringSplitOptions.RemoveEmptyEntries)]);
                }

                return page;
            }
        }, cancellationToken), cancellationToken);

    /// <summary>Checks that the server that answered knows all events up to a cursor.</summary>
    /// <param name="afterId">The cursor.</param>
    /// <param name="newest">The newest id in the table.</param>
    /// <param name="last">The last id that was drawn; null when the role may not know.</param>
    /// <param name="isStandby">Whether the server is a standby.</param>
    /// <exception cref="InvalidOperationException">The sequence is behind the newest id.</exception>
    /// <exception cref="InvalidValueException">The cursor is beyond all ids.</exception>
    private static void Check(long afterId, long newest, long? last, bool isStandby)
    {
        if (isStandby)
        {
            throw new StandbyReadException(new InvalidOperationException(
                "A standby does not know the primary's open transactions. Read the events of all crawls on the primary."));
        }

        if (newest > last)
        {
            throw HighWaterMark.SequenceIsBehind(last.Value, newest);
        }

        if (afterId > last)
        {
            throw new InvalidValueException(
                "cursor", $"is at id {afterId}, but the last id is {last}; it belongs to another database, or to a server that was lost");
        }
    }

    private Task<(EventPage Page, bool Ended)> ReadAsync(
        Guid crawlId, long? afterId, int pageSize, bool checks, CancellationToken cancellationToken) =>
        dataSource.UseAsync(null, async connection =>
        {
            var command = new NpgsqlCommand(Sql.AtReadCommitted(checks ? FollowCheckedSql : FollowSql), connection);
            await using var commandDisposal = command.ConfigureAwait(false);
            CrawlEventStatements.ToReadParameters(crawlId, null, afterId, pageSize).AddTo(command);
            var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
                if (reader.GetNullable<bool?>(0) is not { } ended)
                {
                    var error = new RowNotFoundException(CrawlEventStatements.RunsTable, [crawlId]);

                    // A standby may not have the run yet.
                    throw reader.GetBoolean(1) ? new StandbyReadException(error) : error;
                }

                // A sequence on a standby may lag. A role without rights on it does not check.
                if (!reader.GetBoolean(1) && reader.GetNullable<long?>(2) is { } newest && newest > reader.GetNullable<long?>(3))
                {
                    throw HighWaterMark.SequenceIsBehind(reader.GetInt64(3), newest);
                }

                // Without an event, the one row has none.
                var page = reader.IsDBNull(FollowColumns)
                    ? new EventPage([], LastId: null, IsFull: false)
                    : await EventPage.ReadOnAsync(
                        command, reader, FollowColumns, pageSize, PageBytes, PassedOver(), cancellationToken).ConfigureAwait(false);
                return (page, ended);
            }
        }, cancellationToken);

    private PassedOverRows PassedOver() => new(telemetry, logger);

    private void Count(List<CrawlEvent> events)
    {
        if (events.Count > 0)
        {
            telemetry.Followed(events.Count, timeProvider.GetUtcNow() - events[^1].CreatedAt);
        }
    }
}
