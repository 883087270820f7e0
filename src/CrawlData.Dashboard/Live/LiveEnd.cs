namespace CrawlData.Dashboard.Live;

/// <summary>Why no further item comes.</summary>
internal enum LiveEnd
{
    /// <summary>The run or the session has ended.</summary>
    Ended,

    /// <summary>It was deleted.</summary>
    Deleted,

    /// <summary>It cannot be followed: the application's redaction throws, for example. A viewer may come again.</summary>
    Failed,
}
