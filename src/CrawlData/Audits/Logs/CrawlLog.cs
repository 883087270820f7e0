namespace CrawlData.Audits;

/// <summary>A row of <c>crawl_logs</c>: a line of a session's log.</summary>
public sealed record CrawlLog
{
    /// <summary>The line's id.</summary>
    public required long Id { get; init; }

    /// <summary>The session that it belongs to.</summary>
    public required Guid SessionId { get; init; }

    /// <summary>How grave it is.</summary>
    public required CrawlLogLevel Level { get; init; }

    /// <summary>What it is about.</summary>
    public required CrawlLogEventType EventType { get; init; }

    /// <summary>What happened, in words.</summary>
    public required string Message { get; init; }

    /// <summary>What happened, in keys and values.</summary>
    public required Jsonb Details { get; init; }

    /// <summary>When it happened or was stored: UTC (offset zero), in microseconds.</summary>
    public required DateTimeOffset Timestamp { get; init; }
}
