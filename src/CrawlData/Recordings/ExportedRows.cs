namespace CrawlData.Recordings;

/// <summary>What was exported of a crawl or an audit session.</summary>
internal sealed record ExportedRows
{
    public required RecordingProgress Total { get; init; }

    /// <summary>The label of the run's or session's status, in the snapshot that was exported.</summary>
    public required string Status { get; init; }

    /// <summary>The id of the last event; null without events. Later exports of the crawl go on after it.</summary>
    public long? LastEventId { get; init; }
}
