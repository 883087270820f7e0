using CrawlData.Audits;
using CrawlData.Crawls;

namespace CrawlData.Diagnostics;

/// <summary>The state of a database at one moment. All times are UTC.</summary>
public sealed record DatabaseStatus
{
    /// <summary>Gets the time of the read, by the server's clock.</summary>
    public required DateTimeOffset ReadAt { get; init; }

    /// <summary>Gets the server's version as the server reports it, for example <c>18.4</c>.</summary>
    public required string ServerVersion { get; init; }

    /// <summary>Gets whether the server is a standby. A standby may lag behind its primary.</summary>
    public required bool IsStandby { get; init; }

    /// <summary>Gets the first schema of the search path, which has the tables.</summary>
    public required string Schema { get; init; }

    /// <summary>Gets the scripts that have run or are pending, by name; null when the role may not read the journal.</summary>
    public required IReadOnlyList<ScriptStatus>? Scripts { get; init; }

    /// <summary>Gets the tables of crawls and audits.</summary>
    public required IReadOnlyList<TableStatus> Tables { get; init; }

    /// <summary>Gets the exact number of runs in each status.</summary>
    public required IReadOnlyDictionary<CrawlStatus, long> Runs { get; init; }

    /// <summary>Gets the oldest pending run and the oldest running run. A status that no run has is missing.</summary>
    public required IReadOnlyDictionary<CrawlStatus, UnfinishedWork> OldestRuns { get; init; }

    /// <summary>Gets the exact number of audit sessions in each status.</summary>
    public required IReadOnlyDictionary<AuditSessionStatus, long> Sessions { get; init; }

    /// <summary>Gets the oldest queued audit session and the oldest running audit session. A status that no session has is missing.</summary>
    public required IReadOnlyDictionary<AuditSessionStatus, UnfinishedWork> OldestSessions { get; init; }

    /// <summary>Gets the total of the expired artifacts: their time of retention has passed, and they are not marked as deleted.</summary>
    public required ArtifactTotal ExpiredArtifacts { get; init; }

    /// <summary>Gets the time when the first of <see cref="ExpiredArtifacts"/> expired; null when no artifact has expired.</summary>
    public required DateTimeOffset? OldestExpiry { get; init; }

    /// <summary>Gets the highest id among the events of all crawls; null when there is no event.</summary>
    public required long? NewestEventId { get; init; }
}
