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
    internal const string ReadAllSql =
        $"select {CrawlEventStatements.Columns} from crawl_events where id > @after_id and id <= @up_to_id order by id limit @limit";

    private const string RunState =
        "(select status in ('COMPLETED', 'FAILED', 'CANCELLED') from crawl_runs where id = @crawl_id), pg_is_in_recovery()";

    // The status first: its snapshot is no later than that of the events, so the events of an ended run are complete.
    internal const string FollowSql =
        $"""
        select {RunState};
        {CrawlEventStatements.ReadSql}
        """;

    // As above, with the crawl's newest id and the sequence's last. If the sequence was set back, new events get ids that the reader has passed.
    internal const string FollowCheckedSql =
        $"""
        select {RunState},
               (select id from crawl_events where crawl_id = @crawl_id order by crawl_id desc, id desc limit 1),
               case
                   when has_sequence_privilege('crawl_events_id_seq', 'usage, select') then coalesce(pg_sequence_last_value('crawl_events_id_seq'), 0)
               end;
        {CrawlEventStatements.ReadSql}
        """;

    // The check makes a read an eighth longer. So one of this many reads checks, and the first.
    private const int ReadsPerCheck = 32;

    private const int MaxPageBytes = 16 * 1024 * 1024;

    // A single read waits this long for open transactions beside the newest event.
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(1);

    /// <summary>The bytes of payloads at which a read ends early.</summary>
    internal long PageBytes { get; init; } = MaxPageBytes;

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
        var mark = new HighWaterMark(dataSource, retry);
        while (true)
        {
            await mark.AdvanceAsync(afterId, cancellationToken).ConfigureAwait(false);
            var (events, isFull) = await ReadAllAsync(afterId, mark.Id, options.PageSize, cancellationToken).ConfigureAwait(false);
            Count(events);
            if (events.Count > 0)
            {
                afterId = events[^1].Id;
                yield return Batch(events, afterId);
                cancellationToken.ThrowIfCancellationRequested();
            }

            if (mark.IsHeldBack)
            {
                await pauses.ForTransactionsAsync(hadEvents: events.Count > 0, cancellationToken).ConfigureAwait(false);
            }
            else if (!isFull)
            {
                await pauses.ForEventsAsync(hadEvents: events.Count > 0, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Reads events of all crawls once.</summary>
    public async Task<CrawlEventBatch> ListAllAsync(string? cursor, int limit, CancellationToken cancellationToken)
    {
        var afterId = Decode(cursor);
        var mark = new HighWaterMark(dataSource, retry);
        var started = timeProvider.GetTimestamp();
        using var pauses = new FollowPauses(CrawlEventFollowOptions.Default, subscription: null, timeProvider);
        while (true)
        {
            await mark.AdvanceAsync(afterId, cancellationToken).ConfigureAwait(false);
            if (!mark.IsHeldBack || timeProvider.GetElapsedTime(started) > LongestWait)
            {
                var (events, _) = await ReadAllAsync(afterId, mark.Id, limit, cancellationToken).ConfigureAwait(false);
                return Batch(events, events.Count > 0 ? events[^1].Id : afterId);
            }

            await pauses.ForTransactionsAsync(hadEvents: false, cancellationToken).ConfigureAwait(false);
        }
    }

    private FollowPauses Pauses(Guid? crawlId, CrawlEventFollowOptions options) =>
        new(options, options.Listen ? CrawlEventListener.Subscribe(dataSource, crawlId, timeProvider, logger) : null, timeProvider);

    private static long Decode(string? cursor) => cursor is null ? 0 : KeysetCursor<long>.Decode(cursor, CursorKind.AllEvents).Id;

    private static CrawlEventBatch Batch(List<CrawlEvent> events, long lastId) =>
        new() { Events = events, Cursor = new KeysetCursor<long>(default, lastId).Encode(CursorKind.AllEvents) };

    private async Task<EventPage> ReadAllAsync(long afterId, long upToId, int limit, CancellationToken cancellationToken)
    {
        if (upToId <= afterId)
        {
            return new EventPage([], IsFull: false);
        }

        return await retry.RunAsync(
            () => dataSource.UseAsync(null, async connection =>
            {
                var parameters = new Parameters
                {
                    { "after_id", NpgsqlDbType.Bigint, afterId },
                    { "up_to_id", NpgsqlDbType.Bigint, upToId },
                    { "limit", NpgsqlDbType.Bigint, limit },
                };
                var command = new NpgsqlCommand(Sql.AtReadCommitted(ReadAllSql), connection);
                await using var commandDisposal = command.ConfigureAwait(false);
                parameters.AddTo(command);
                var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
                await using (reader.ConfigureAwait(false))
                {
                    return await EventPage.ReadAsync(command, reader, limit, PageBytes, cancellationToken).ConfigureAwait(false);
                }
            }, cancellationToken),
            cancellationToken).ConfigureAwait(false);
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
                if (checks && !reader.GetBoolean(1) && reader.GetNullable<long?>(2) is { } newest && newest > reader.GetNullable<long?>(3))
                {
                    throw HighWaterMark.SequenceIsBehind(reader.GetInt64(3), newest);
                }

                await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
                return (await EventPage.ReadAsync(command, reader, pageSize, PageBytes, cancellationToken).ConfigureAwait(false), ended);
            }
        }, cancellationToken);

    private void Count(List<CrawlEvent> events)
    {
        if (events.Count > 0)
        {
            telemetry.Followed(events.Count, timeProvider.GetUtcNow() - events[^1].CreatedAt);
        }
    }
}
