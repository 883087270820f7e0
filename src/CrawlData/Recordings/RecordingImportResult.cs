namespace CrawlData.Recordings;

/// <summary>The rows that an import stored.</summary>
public sealed class RecordingImportResult
{
    /// <summary>Gets the ids of the stored runs, in the recording's order.</summary>
    public required IReadOnlyList<Guid> CrawlIds { get; init; }

    /// <summary>Gets the ids of the stored audit sessions, in the recording's order.</summary>
    public required IReadOnlyList<Guid> SessionIds { get; init; }

    /// <summary>Gets the numbers of rows and bytes.</summary>
    public required RecordingProgress Total { get; init; }
}
