namespace CrawlData.Crawls;

/// <summary>A batch of a spool whose transaction is in doubt. It is stored if the event with the id <see cref="FirstId"/> is stored in
/// <see cref="CrawlId"/>.</summary>
public sealed record SpooledCrawlEvents
{
    /// <summary>Gets the number of its events in the spool.</summary>
    public required int Events { get; init; }

    /// <summary>Gets the crawl of the event with the id <see cref="FirstId"/>.</summary>
    public required Guid CrawlId { get; init; }

    /// <summary>Gets the id that the transaction's first event has if it is stored.</summary>
    public required long FirstId { get; init; }

    /// <summary>Gets the start of the transaction, by the server's clock.</summary>
    public required DateTimeOffset StartedAt { get; init; }
}
