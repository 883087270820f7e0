namespace CrawlData.Crawls;

/// <summary>Thrown when a <see cref="CrawlEventWriter"/> could not store events. It keeps them until <see cref="CrawlEventWriter.TakeUnstored(Guid)"/> takes
/// them out.</summary>
public sealed class CrawlEventsNotStoredException : CrawlDataException
{
    internal CrawlEventsNotStoredException(IReadOnlyList<UnstoredCrawlEvent> events)
        : base(
            $"{events.Count} events of {events.Select(unstored => unstored.CrawlId).Distinct().Count()} crawls are not stored. "
                + $"The first error: {ServerErrors.Describe(events[0].Error)}",
            events[0].Error) =>
        Events = events;

    /// <summary>The events. The events of each crawl are in the order in which they were written.</summary>
    public IReadOnlyList<UnstoredCrawlEvent> Events { get; }
}
