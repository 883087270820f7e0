namespace CrawlData.Dashboard.Live;

/// <summary>Why no further event comes.</summary>
internal enum LiveEnd
{
    /// <summary>The run has ended.</summary>
    Ended,

    /// <summary>The run was deleted.</summary>
    Deleted,
}
