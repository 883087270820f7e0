namespace CrawlData.Recordings;

/// <summary>The rows that an import stored.</summary>
public sealed class RecordingImportResult
{
    /// <summary>Gets the ids of the stored runs, in the recording's order.</summary>
    public required IReadOnlyList<Guid> CrawlIds { get; init; }

    /// <summary>Gets the ids of the stored audit sessions, in the recording's order.</summary>
    public required IReadOnlyList<Guid> SessionIds { get; init; }

    /// <summary>Gets the number of runs that are PENDING. Not zero only with <see cref="RecordingImportOptions.Enqueue"/>.</summary>
    public long EnqueuedRuns { get; init; }

    /// <summary>Gets the number of sessions that are queued or running. Not zero only with <see cref="RecordingImportOptions.Enqueue"/>.</summary>
    public long EnqueuedSessions { get; init; }

    /// <summary>Gets the number of artifacts in the storage whose retention time had passed. They have kept it with
    /// <see cref="RecordingImportOptions.AllowExpired"/>. Otherwise they have none.</summary>
    public long ExpiredArtifacts { get; init; }

    /// <summary>Gets the numbers of rows and bytes.</summary>
    public required RecordingProgress Total { get; init; }
}
