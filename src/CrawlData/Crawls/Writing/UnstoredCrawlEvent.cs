namespace CrawlData.Crawls;

/// <summary>An event that was written to a <see cref="CrawlEventWriter"/>, and could not be stored.</summary>
public sealed record UnstoredCrawlEvent
{
    /// <summary>The event's crawl.</summary>
    public required Guid CrawlId { get; init; }

    /// <summary>The event, to be kept elsewhere or written again.</summary>
    public required NewCrawlEvent Event { get; init; }

    /// <summary>The reason: <see cref="RowNotFoundException"/> for an unknown crawl, or the server's error. For
    /// <see cref="AppendOutcomeUnknownException"/>, the event may be stored after all.</summary>
    public required Exception Error { get; init; }
}
