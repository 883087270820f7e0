namespace CrawlData.Dashboard.Live;

/// <summary>What a viewer gets next.</summary>
/// <param name="Items">The items that follow the viewer's; none when it has missed some.</param>
/// <param name="MissedUpToId">The id up to which the viewer has to fetch items; null when it has missed none.</param>
internal readonly record struct LiveFrame(IReadOnlyList<LiveItem> Items, long? MissedUpToId);
