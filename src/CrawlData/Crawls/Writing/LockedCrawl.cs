namespace CrawlData.Crawls;

/// <summary>A crawl whose run another transaction has locked, and the events that wait for it.</summary>
/// <param name="crawlId">The crawl.</param>
/// <param name="since">When an event of it was stored last, or when the lock was noticed: a timestamp of the writer's <see cref="TimeProvider"/>.</param>
internal sealed class LockedCrawl(Guid crawlId, long since)
{
    public Guid CrawlId => crawlId;

    /// <summary>The events, in the order in which they were written.</summary>
    public List<QueuedEvent> Events { get; } = [];

    public long Since { get; set; } = since;

    /// <summary>The number of attempts at its events. The crawl with the fewest is next.</summary>
    public int Attempts { get; set; }
}
