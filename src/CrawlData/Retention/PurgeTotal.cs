namespace CrawlData.Retention;

/// <summary>The totals of a purge, so far or at its end. In a dry run: the rows that a purge would delete.</summary>
public sealed record PurgeTotal
{
    /// <summary>The number of artifacts, sessions, or crawls that were deleted. A session or crawl counts when all of it is deleted.</summary>
    public long Deleted { get; init; }

    /// <summary>The number of rows deleted below them: a crawl's events, or a session's pages, artifacts and log lines. The events of a dropped
    /// partition are not counted but estimated, by its last VACUUM or ANALYZE.</summary>
    public long Rows { get; init; }

    /// <summary>The number of sessions or crawls that are old enough and were left. A session is left while its artifacts are in the storage. Both are left
    /// while another transaction locks them.</summary>
    public long Left { get; init; }

    /// <summary>The number of partitions of events that were dropped.</summary>
    public int Partitions { get; init; }
}
