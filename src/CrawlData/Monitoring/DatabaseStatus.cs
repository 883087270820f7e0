using CrawlData.Audits;
using CrawlData.Crawls;

namespace CrawlData.Diagnostics;

/// <summary>How a database stands at a moment. All times are UTC.</summary>
public sealed record DatabaseStatus
{
    /// <summary>When it was read, by the server's clock.</summary>
    public required DateTimeOffset ReadAt { get; init; }

    /// <summary>The server's version, as it says it: <c>18.4</c>, say.</summary>
    public required string ServerVersion { get; init; }

    /// <summary>Whether the server is a standby, which may lag behind its primary.</summary>
    public required bool IsStandby { get; init; }

    /// <summary>The schema that the search path begins with, where the tables are.</summary>
    public required string Schema { get; init; }

    /// <summary>The scripts that have run or are pending, by name; null when the role may not read the journal.</summary>
    public required IReadOnlyList<ScriptStatus>? Scripts { get; init; }

    /// <summary>The tables of crawls and audits.</summary>
    public required IReadOnlyList<TableStatus> Tables { get; init; }

    /// <summary>How many runs are in each status, counted.</summary>
    public required IReadOnlyDictionary<CrawlStatus, long> Runs { get; init; }

    /// <summary>The oldest run that is pending, and the oldest that is running; none of a status that no run is in.</summary>
    public required IReadOnlyDictionary<CrawlStatus, UnfinishedWork> OldestRuns { get; init; }

    /// <summary>How many audit sessions are in each status, counted.</summary>
    public required IReadOnlyDictionary<AuditSessionStatus, long> Sessions { get; init; }

    /// <summary>The oldest audit session that is queued, and the oldest that is running; none of a status that no session is in.</summary>
    public required IReadOnlyDictionary<AuditSessionStatus, UnfinishedWork> OldestSessions { get; init; }

    /// <summary>The artifacts whose time of retention has passed and which are not marked as deleted.</summary>
    public required ArtifactTotal ExpiredArtifacts { get; init; }

    /// <summary>When the first of <see cref="ExpiredArtifacts"/> expired; null when there is none.</summary>
    public required DateTimeOffset? OldestExpiry { get; init; }

    /// <summary>The highest id of the events of all crawls; null when there is none.</summary>
    public required long? NewestEventId { get; init; }
}
