using System.Runtime.CompilerServices;
using CrawlData.Instrumentation;
using CrawlData.Storage;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CrawlData.Crawls;

/// <summary>Follows events. A follower reads by itself until it has caught up. Then the hub reads for it.
/// <see cref="CrawlEventRepository.ListAllAsync"/> explains why no event is missed.</summary>
internal sealed class CrawlEventFollower
{
    // A single read waits this long for open transactions beside the newest event.
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(1);

    private readonly TimeProvider timeProvider;
    private readonly Telemetry telemetry;
    private readonly CrawlEventReader reader;
    private readonly FollowHub hub;

    /// <summary>Makes a follower.</summary>
    /// <param name="dataSource">The application's data source.</param>
    /// <param name="retry">Which errors of a read are transient, and for how long it is retried.</param>
    /// <param name="timeProvider">Measures the pauses between reads.</param>
    /// <param name="telemetry">Counts the events that followers read.</param>
    /// <param name="logger">Logs when the listener connects, and its errors.</param>
    public CrawlEventFollower(NpgsqlDataSource dataSource, RetryPolicy retry, TimeProvider timeProvider, Telemetry telemetry, ILogger logger)
    {
        (this.timeProvider, this.telemetry) = (timeProvider, telemetry);
        reader = new CrawlEventReader(dataSource, retry, telemetry, logger);
        hub = new FollowHub(dataSource, reader, timeProvider, logger);
    }

    /// <summary>The bytes of payloads at which a read ends early.</summary>
    internal long PageBytes
    {
        init => reader.PageBytes = value;
    }

    /// <summary>Follows a crawl until its run has ended.</summary>
    public async IAsyncEnumerable<CrawlEvent> FollowAsync(
        Guid crawlId, long? afterId, CrawlEventFollowOptions options, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var crawl = Enter(crawlId, afterId, options, cancellationToken);
        var events = await crawl.NextAsync(cancellationToken).ConfigureAwait(false);
        while (events is not null)
        {
            Count(events);
            for (var index = 0; index < events.Count; index++)
            {
                yield return events[index];
                cancellationToken.ThrowIfCancellationRequested();
            }

            // Otherwise the next read would hold two pages.
            events = null;
            events = await crawl.NextAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Follows a crawl in batches until its run has ended.</summary>
    public async IAsyncEnumerable<IReadOnlyList<CrawlEvent>> FollowBatchesAsync(
        Guid crawlId, long? afterId, CrawlEventFollowOptions options, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var crawl = Enter(crawlId, afterId, options, cancellationToken);
        while (await crawl.NextAsync(cancellationToken).ConfigureAwait(false) is { } events)
        {
            Count(events);
            yield return events;
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    /// <summary>Follows all crawls.</summary>
    public async IAsyncEnumerable<CrawlEventBatch> FollowAllAsync(
        string? cursor, CrawlEventFollowOptions options, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var afterId = Decode(cursor);
        using var place = hub.Enter(crawlId: null, options);
        var mark = new HighWaterMark();
        var isBehind = true;
        while (true)
        {
            var page = await (isBehind ? ReadAllAsync(place, mark, afterId, cancellationToken) : place.NextAsync(afterId, mark, cancellationToken))
                .ConfigureAwait(false);
            Count(page.Page.Events);
            (afterId, isBehind) = (page.Page.LastId ?? afterId, page.IsBehind);
            if (page.Page.Events.Count > 0)
            {
                yield return Batch(page.Page.Events, afterId);
                cancellationToken.ThrowIfCancellationRequested();
            }
        }
    }

    /// <summary>Reads events of all crawls once.</summary>
    public async Task<CrawlEventBatch> ListAllAsync(string? cursor, int limit, CancellationToken cancellationToken)
    {
        var afterId = Decode(cursor);
        var mark = new HighWaterMark();
        var started = timeProvider.GetTimestamp();
        var pause = GrowingPause.ForTransactions;
        while (true)
        {
            var upToId = mark.Id;
            var (events, lastId, _) = await reader.RetryAsync(() => reader.ReadAllAsync(mark, afterId, limit, cancellationToken), cancellationToken)
                .ConfigureAwait(false);
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
                await Task.Delay(pause.Next(GrowingPause.LongestForTransactions), timeProvider, cancellationToken).ConfigureAwait(false);
            }
            else if (mark.Id == upToId)
            {
                return Batch(events, afterId);
            }
        }
    }

    private static long Decode(string? cursor) => cursor is null ? 0 : KeysetCursor<long>.Decode(cursor, CursorKind.AllEvents).Id;

    private static CrawlEventBatch Batch(IReadOnlyList<CrawlEvent> events, long lastId) =>
        new() { Events = events, Cursor = new KeysetCursor<long>(default, lastId).Encode(CursorKind.AllEvents) };

    private FollowedCrawl Enter(Guid crawlId, long? afterId, CrawlEventFollowOptions options, CancellationToken cancellationToken)
    {
        var place = hub.Enter(crawlId, options);
        return new FollowedCrawl(place, (after, isFirst) => ReadAsync(place, crawlId, after, isFirst, cancellationToken), afterId);
    }

    private async Task<FollowedPage> ReadAsync(FollowerPlace place, Guid crawlId, long? afterId, bool isFirst, CancellationToken cancellationToken)
    {
        var checks = place.BeginRead() || isFirst;
        var (page, hasEnded) = await reader.RetryAsync(
            () => reader.ReadAsync(crawlId, afterId, place.Options.PageSize, checks, cancellationToken), cancellationToken).ConfigureAwait(false);
        return new FollowedPage(page) { IsBehind = page.IsFull, HasEnded = hasEnded };
    }

    private async Task<FollowedPage> ReadAllAsync(FollowerPlace place, HighWaterMark mark, long afterId, CancellationToken cancellationToken)
    {
        place.BeginRead();
        var upToId = mark.Id;
        var page = await reader.RetryAsync(
            () => reader.ReadAllAsync(mark, afterId, place.Options.PageSize, cancellationToken), cancellationToken).ConfigureAwait(false);
        return new FollowedPage(page) { IsBehind = page.IsFull || mark.Id > upToId };
    }

    private void Count(IReadOnlyList<CrawlEvent> events)
    {
        if (events.Count > 0)
        {
            telemetry.Followed(events.Count, timeProvider.GetUtcNow() - events[^1].CreatedAt);
        }
    }
}
