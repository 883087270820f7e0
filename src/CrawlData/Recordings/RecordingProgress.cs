namespace CrawlData.Recordings;

/// <summary>How far an import or export has come, or what it came to.</summary>
public sealed record RecordingProgress
{
    /// <summary>Runs read or written.</summary>
    public long Runs { get; init; }

    /// <summary>Events read or written.</summary>
    public long Events { get; init; }

    /// <summary>Audit sessions read or written.</summary>
    public long Sessions { get; init; }

    /// <summary>Pages read or written.</summary>
    public long Pages { get; init; }

    /// <summary>Artifacts read or written.</summary>
    public long Artifacts { get; init; }

    /// <summary>Lines of sessions' logs read or written.</summary>
    public long Logs { get; init; }

    /// <summary>All of these together.</summary>
    public long Rows => Runs + Events + Sessions + Pages + Artifacts + Logs;

    /// <summary>Bytes of NDJSON read or written.</summary>
    public long Bytes { get; init; }
}
