namespace CrawlData.Audits;

/// <summary>A row of <c>audit_pages</c>: a page of a session, seen in a viewport.</summary>
public sealed record AuditPage
{
    /// <summary>The page's id.</summary>
    public required Guid Id { get; init; }

    /// <summary>The session that it belongs to.</summary>
    public required Guid SessionId { get; init; }

    /// <summary>What kind of page it is.</summary>
    public required PageType PageType { get; init; }

    /// <summary>As what device it is seen.</summary>
    public required Viewport Viewport { get; init; }

    /// <summary>Whether it was seen.</summary>
    public required PageStatus Status { get; init; }

    /// <summary>Timestamps and durations of its load.</summary>
    public required Jsonb LoadTimings { get; init; }

    /// <summary>Why its findings are to be taken with care: an array, or structured reasons.</summary>
    public required Jsonb LowConfidenceReasons { get; init; }
}
