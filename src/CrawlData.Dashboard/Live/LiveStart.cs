namespace CrawlData.Dashboard.Live;

/// <summary>Where a follower begins.</summary>
/// <param name="MissingUpToId">The id up to which items are not followed, because they may be many; null when none is left out.</param>
/// <param name="Items">The first items after it.</param>
internal sealed record LiveStart(long? MissingUpToId, IReadOnlyList<LiveItem> Items);
