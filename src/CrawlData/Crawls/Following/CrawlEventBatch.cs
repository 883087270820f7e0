namespace CrawlData.Crawls;

/// <summary>A batch of events of all crawls, and the cursor of the next batch.</summary>
public sealed class CrawlEventBatch
{
    /// <summary>The events, in the order of their ids.</summary>
    public required IReadOnlyList<CrawlEvent> Events { get; init; }

    /// <summary>The cursor of the next batch, for <see cref="CrawlEventRepository.ListAllAsync"/> or <see cref="CrawlEventRepository.FollowAllAsync"/>. Save it
    /// when the events have been handled.</summary>
    /// <remarks>It is an opaque text that is safe in a URL and does not expire. It is valid in this database only. An empty batch has one too.</remarks>
    public required string Cursor { get; init; }
}
