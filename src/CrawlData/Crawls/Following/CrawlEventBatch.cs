namespace CrawlData.Crawls;

/// <summary>Events of all crawls, and where to go on after them.</summary>
public sealed class CrawlEventBatch
{
    /// <summary>The events, in the order of their ids.</summary>
    public required IReadOnlyList<CrawlEvent> Events { get; init; }

    /// <summary>Hand it to <see cref="CrawlEventRepository.ListAllAsync"/> or <see cref="CrawlEventRepository.FollowAllAsync"/> for what comes after these
    /// events: remember it when they have been handled. There is one after an empty batch, too. An opaque text, safe in a URL, which does not expire; it is
    /// good for this database only.</summary>
    public required string Cursor { get; init; }
}
