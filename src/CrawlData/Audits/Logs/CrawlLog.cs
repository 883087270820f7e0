namespace CrawlData.Audits;

/// <summary>A row of <c>crawl_logs</c>: a line of a session's log.</summary>
public sealed record CrawlLog
{
    /// <summary>The line's id.</summary>
    public required long Id { get; init; }

    /// <summary>The id of the line's session.</summary>
    public required Guid SessionId { get; init; }

    /// <summary>The severity of the line.</summary>
    public required CrawlLogLevel Level { get; init; }

    /// <summary>The type of the logged event.</summary>
    public required CrawlLogEventType EventType { get; init; }

    /// <summary>The message, in words.</summary>
    public required string Message { get; init; }

    /// <summary>The details of the event, as JSON: keys and values.</summary>
    public required Jsonb Details { get; init; }

    /// <summary>The time of the event, in UTC (offset zero), to the microsecond. The caller gave it, or it is the start of the transaction that stored the
    /// line.</summary>
    public required DateTimeOffset Timestamp { get; init; }
}
