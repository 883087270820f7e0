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

    // The status first: its snapshot is no later than that of the events, so the events of an ended run are complete.
    internal const string FollowSql =
        $"""
        select status in ('COMPLETED', 'FAILED', 'CANCELLED') from crawl_runs where id = @crawl_id;
        {CrawlEventStatements.ReadSql}
        """;

    // A single read waits this long for open transactions beside the newest event.
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(1);

    /// <summary>Follows a crawl until its run has ended.</summary>
    public async IAsyncEnumerable<CrawlEvent> FollowAsync(
        Guid crawlId, long? afterId, CrawlEventFollowOptions options, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var wait = Wait(crawlId, options);
        while (true)
        {
            var (events, ended) = await retry.RunAsync(() => ReadAsync(crawlId, afterId, options.PageSize, cancellationToken), cancellationToken)
                .ConfigureAwait(false);
            Count(events);
            foreach (var crawlEvent in events)
            {
                yield return crawlEvent;
                cancellationToken.ThrowIfCancellationRequested();
                afterId = crawlEvent.Id;
            }

            if (events.Count < options.PageSize)
            {
                if (ended)
                {
                    yield break;
                }

                await wait.ForEventsAsync(hadEvents: events.Count > 0, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Follows all crawls.</summary>
    public async IAsyncEnumerable<CrawlEventBatch> FollowAllAsync(
        string? cursor, CrawlEventFollowOptions options, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var afterId = Decode(cursor);
        using var wait = Wait(crawlId: null, options);
        var mark = new HighWaterMark(dataSource, retry);
        while (true)
        {
            await mark.AdvanceAsync(afterId, cancellationToken).ConfigureAwait(false);
            var events = await ReadAllAsync(afterId, mark.Id, options.PageSize, cancellationToken).ConfigureAwait(false);
            Count(events);
            if (events.Count > 0)
            {
                afterId = events[^1].Id;
                yield return Batch(events, afterId);
                cancellationToken.ThrowIfCancellationRequested();
            }

            if (mark.IsHeldBack)
            {
                await wait.ForTransactionsAsync(hadEvents: events.Count > 0, cancellationToken).ConfigureAwait(false);
            }
            else if (events.Count < options.PageSize)
            {
                await wait.ForEventsAsync(hadEvents: events.Count > 0, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Reads events of all crawls once.</summary>
    public async Task<CrawlEventBatch> ListAllAsync(string? cursor, int limit, CancellationToken cancellationToken)
    {
        var afterId = Decode(cursor);
        var mark = new HighWaterMark(dataSource, retry);
        var started = timeProvider.GetTimestamp();
        using var wait = new FollowWait(CrawlEventFollowOptions.Default, subscription: null, timeProvider);
        while (true)
        {
            await mark.AdvanceAsync(afterId, cancellationToken).ConfigureAwait(false);
            if (!mark.IsHeldBack || timeProvider.GetElapsedTime(started) > LongestWait)
            {
                var events = await ReadAllAsync(afterId, mark.Id, limit, cancellationToken).ConfigureAwait(false);
                return Batch(events, events.Count > 0 ? events[^1].Id : afterId);
            }

            await wait.ForTransactionsAsync(hadEvents: false, cancellationToken).ConfigureAwait(false);
        }
    }

    private FollowWait Wait(Guid? crawlId, CrawlEventFollowOptions options) =>
        new(options, options.Listen ? CrawlEventListener.Subscribe(dataSource, crawlId, logger) : null, timeProvider);

    private static long Decode(string? cursor) => cursor is null ? 0 : KeysetCursor<long>.Decode(cursor, CursorKind.AllEvents).Id;

    private static CrawlEventBatch Batch(List<CrawlEvent> events, long lastId) =>
        new() { Events = events, Cursor = new KeysetCursor<long>(default, lastId).Encode(CursorKind.AllEvents) };

    private async Task<List<CrawlEvent>> ReadAllAsync(long afterId, long upToId, int limit, CancellationToken cancellationToken)
    {
        if (upToId <= afterId)
        {
            return [];
        }

        return await retry.RunAsync(
            () =>
            {
                var parameters = new Parameters
                {
                    { "after_id", NpgsqlDbType.Bigint, afterId },
                    { "up_to_id", NpgsqlDbType.Bigint, upToId },
                    { "limit", NpgsqlDbType.Bigint, limit },
                };
                return dataSource.QueryAsync(ReadAllSql, parameters, CrawlEventStatements.Map(), null, cancellationToken);
            },
            cancellationToken).ConfigureAwait(false);
    }

    private Task<(List<CrawlEvent> Events, bool Ended)> ReadAsync(Guid crawlId, long? afterId, int pageSize, CancellationToken cancellationToken) =>
        dataSource.UseAsync(null, async connection =>
        {
            var parameters = CrawlEventStatements.ToReadParameters(crawlId, null, afterId, pageSize);
            var reader = await connection.ExecuteReaderAsync(FollowSql, parameters, null, cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                if (!await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                {
                    throw new RowNotFoundException(CrawlEventStatements.RunsTable, [crawlId]);
                }

                var ended = reader.GetBoolean(0);
                await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
                return (await reader.ReadAllAsync(CrawlEventStatements.Map(), cancellationToken).ConfigureAwait(false), ended);
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
