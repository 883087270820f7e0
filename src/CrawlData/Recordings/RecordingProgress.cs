namespace CrawlData.Recordings;

/// <summary>The numbers of rows and bytes that an import or export has read or written.</summary>
public sealed record RecordingProgress
{
    /// <summary>Gets the number of runs.</summary>
    public long Runs { get; init; }

    /// <summary>Gets the number of events.</summary>
    public long Events { get; init; }

    /// <summary>Gets the number of audit sessions.</summary>
    public long Sessions { get; init; }

    /// <summary>Gets the number of pages.</summary>
    public long Pages { get; init; }

    /// <summary>Gets the number of artifacts.</summary>
    public long Artifacts { get; init; }

    /// <summary>Gets the number of log lines.</summary>
    public long Logs { get; init; }

    /// <summary>Gets the number of all rows.</summary>
    public long Rows => Runs + Events + Sessions + Pages + Artifacts + Logs;

    /// <summary>Gets the number of bytes of NDJSON.</summary>
    public long Bytes { get; init; }
}
