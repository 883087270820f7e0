namespace CrawlData.Dashboard.Live;

/// <summary>A row as JSON for a stream. It is written once for all viewers.</summary>
/// <param name="Id">The row's id.</param>
/// <param name="Json">The row as pages show it, without line ends. A frame has room for one of any size.</param>
internal readonly record struct LiveItem(long Id, ReadOnlyMemory<byte> Json);
