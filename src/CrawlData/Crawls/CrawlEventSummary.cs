namespace CrawlData.Crawls;

/// <summary>The counts of a crawl's events, up to an event. <see cref="CrawlEventRepository.SummarizeAsync"/> makes it and continues it.</summary>
public sealed record CrawlEventSummary
{
    internal CrawlEventSummary()
    {
    }

    /// <summary>Gets the id of the crawl.</summary>
    public Guid CrawlId { get; internal init; }

    /// <summary>Gets the number of events that are counted.</summary>
    public long Count { get; internal init; }

    /// <summary>Gets the number of events of each type that occurs.</summary>
    public IReadOnlyDictionary<string, long> CountByType { get; internal init; } = new Dictionary<string, long>();

    /// <summary>Gets the earliest time among the events, in UTC; null without events.</summary>
    public DateTimeOffset? FirstCreatedAt { get; internal init; }

    /// <summary>Gets the latest time among the events, in UTC; null without events.</summary>
    public DateTimeOffset? LastCreatedAt { get; internal init; }

    /// <summary>Gets the id of the last event that is counted; null without events.</summary>
    public long? LastId { get; internal init; }

    /// <summary>Gets whether all events were counted that the crawl had at the time of the call. It is false when the limit of the call was reached.</summary>
    public bool IsComplete { get; internal init; }
}
