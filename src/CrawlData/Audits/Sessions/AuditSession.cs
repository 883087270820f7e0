namespace CrawlData.Audits;

/// <summary>A row of <c>audit_sessions</c>: one audit of a website.</summary>
public sealed record AuditSession
{
    /// <summary>The session's id.</summary>
    public required Guid Id { get; init; }

    /// <summary>The URL to audit, normalized as <see cref="NewAuditSession.Url"/> describes.</summary>
    public required string Url { get; init; }

    /// <summary>The session's status.</summary>
    public required AuditSessionStatus Status { get; init; }

    /// <summary>The time at which the session was created, in UTC (offset zero), to the microsecond. The queue is ordered by it.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>The URL at which the navigation ended, after redirects; null when it was not recorded.</summary>
    public string? FinalUrl { get; init; }

    /// <summary>The mode of the audit.</summary>
    public required AuditMode Mode { get; init; }

    /// <summary>The retention policy of the session's artifacts.</summary>
    public required RetentionPolicy RetentionPolicy { get; init; }

    /// <summary>The number of the latest attempt; 0 before the first. It rises by 1 with each claim or start. It is the fencing token that the worker passes
    /// with each change.</summary>
    public required int Attempts { get; init; }

    /// <summary>The error of the latest attempt that failed, ended partially or was stale. It stays while the next attempt runs. It is null after a
    /// completion.</summary>
    public string? ErrorSummary { get; init; }

    /// <summary>The version of the session's crawl policy.</summary>
    public required string CrawlPolicyVersion { get; init; }

    /// <summary>The crawl policy as it was when the session was inserted, as JSON. Your auditing program chooses its form.</summary>
    public required Jsonb ConfigSnapshot { get; init; }

    /// <summary>Whether confidence in the session's findings is low.</summary>
    public required bool LowConfidence { get; init; }

    /// <summary>The URL of the product page (PDP) that discovery chose; null when it was not recorded.</summary>
    public string? PdpUrl { get; init; }
}
