namespace CrawlData.Crawls;

/// <summary>Events that a <see cref="CrawlEventWriter"/> had taken could not be stored. All others are.</summary>
public sealed class CrawlEventsNotStoredException : CrawlDataException
{
    internal CrawlEventsNotStoredException(IReadOnlyList<UnstoredCrawlEvent> events)
        : base($"Events that are not stored: {events.Count}, of crawls: {events.Select(unstored => unstored.CrawlId).Distinct().Count()}. {ServerErrors.Describe(events[0].Error)}", events[0].Error) =>
        Events = events;

    /// <summary>The events, those of each crawl in the order in which they were written.</summary>
    public IReadOnlyList<UnstoredCrawlEvent> Events { get; }
}
