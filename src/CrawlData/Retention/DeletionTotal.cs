namespace CrawlData.Retention;

/// <summary>How far a deletion of rows of artifacts, of whole sessions or of whole crawls has come, or what it came to.</summary>
public sealed record DeletionTotal
{
    /// <summary>Artifacts, sessions or crawls that were deleted, or would be; sessions and crawls whole.</summary>
    public long Deleted { get; init; }

    /// <summary>Rows that were deleted with them, or would be: a crawl's events, or a session's pages, artifacts and log lines.</summary>
    public long Rows { get; init; }

    /// <summary>Sessions or crawls that are old enough and were left: of sessions because artifacts of theirs still lie in their storage, and of both because
    /// somebody was at work on them.</summary>
    public long Left { get; init; }
}
