namespace CrawlData.Citus.Tests.Faults;

/// <summary>How events are appended.</summary>
public enum AppendWay
{
    /// <summary>One event.</summary>
    One,

    /// <summary>Some events of one crawl, which are inserted.</summary>
    Many,

    /// <summary>Many events of one crawl, which are copied.</summary>
    Copy,

    /// <summary>Some events of two crawls.</summary>
    TwoCrawls,

    /// <summary>A writer's events of two crawls.</summary>
    Writer,

    /// <summary>Many events of one crawl, in a transaction of the caller's, which is not retried.</summary>
    Transaction,
}
