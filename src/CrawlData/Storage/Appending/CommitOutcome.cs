namespace CrawlData.Storage;

/// <summary>The outcome of a COMMIT whose answer was lost.</summary>
internal enum CommitOutcome
{
    /// <summary>The server did not answer within the limit.</summary>
    Unknown,

    /// <summary>The rows are stored.</summary>
    Committed,

    /// <summary>No row is stored.</summary>
    RolledBack,
}
