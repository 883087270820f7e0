namespace CrawlData.Recordings;

/// <summary>What an import stored.</summary>
public sealed class RecordingImportResult
{
    /// <summary>The ids of the runs, in the recording's order.</summary>
    public required IReadOnlyList<Guid> CrawlIds { get; init; }

    /// <summary>The ids of the audit sessions, in the recording's order.</summary>
    public required IReadOnlyList<Guid> SessionIds { get; init; }

    /// <summary>How much it was.</summary>
    public required RecordingProgress Total { get; init; }
}
