namespace CrawlData.Crawls;

/// <summary>An event that a <see cref="CrawlEventWriter"/> had taken and could not store.</summary>
public sealed record UnstoredCrawlEvent
{
    /// <summary>The crawl that it was for.</summary>
    public required Guid CrawlId { get; init; }

    /// <summary>The event, to be kept elsewhere or written again.</summary>
    public required NewCrawlEvent Event { get; init; }

    /// <summary>Why it was not stored: <see cref="RowNotFoundException"/> for an unknown crawl, the server's error, or <see
    /// cref="AppendOutcomeUnknownException"/>, of whose events alone it is not known whether they are stored.</summary>
    public required Exception Error { get; init; }
}
