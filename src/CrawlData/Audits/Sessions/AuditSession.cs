namespace CrawlData.Audits;

/// <summary>A row of <c>audit_sessions</c>: one audit of a website. All times are UTC (offset zero), in microseconds.</summary>
public sealed record AuditSession
{
    /// <summary>The session's id.</summary>
    public required Guid Id { get; init; }

    /// <summary>The URL to be audited, normalized.</summary>
    public required string Url { get; init; }

    /// <summary>Where the session stands.</summary>
    public required AuditSessionStatus Status { get; init; }

    /// <summary>When it was enqueued.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Where the navigation ended, after redirects.</summary>
    public string? FinalUrl { get; init; }

    /// <summary>How much the audit keeps.</summary>
    public required AuditMode Mode { get; init; }

    /// <summary>How long its artifacts are kept.</summary>
    public required RetentionPolicy RetentionPolicy { get; init; }

    /// <summary>How often it was claimed or started: the number of the present attempt, and its worker's proof that it is still its turn.</summary>
    public required int Attempts { get; init; }

    /// <summary>Why the last attempt that did not end well did so; kept while another is under way.</summary>
    public string? ErrorSummary { get; init; }

    /// <summary>The version of the crawl policy that it follows.</summary>
    public required string CrawlPolicyVersion { get; init; }

    /// <summary>The crawl policy as it stood when the session was enqueued.</summary>
    public required Jsonb ConfigSnapshot { get; init; }

    /// <summary>Whether its findings are to be taken with care.</summary>
    public required bool LowConfidence { get; init; }

    /// <summary>The product page that discovery chose.</summary>
    public string? PdpUrl { get; init; }
}
