namespace CrawlData.Audits;

/// <summary>A row of <c>audit_pages</c>: a page of a session, in one viewport.</summary>
public sealed record AuditPage
{
    /// <summary>The page's id.</summary>
    public required Guid Id { get; init; }

    /// <summary>The id of the page's session.</summary>
    public required Guid SessionId { get; init; }

    /// <summary>The type of the page.</summary>
    public required PageType PageType { get; init; }

    /// <summary>The viewport in which the page is loaded.</summary>
    public required Viewport Viewport { get; init; }

    /// <summary>The page's status: whether it was loaded.</summary>
    public required PageStatus Status { get; init; }

    /// <summary>The timestamps and durations of the page load, as JSON. Your auditing program chooses its form.</summary>
    public required Jsonb LoadTimings { get; init; }

    /// <summary>The reasons for low confidence in the page's findings, as JSON: an array, or structured reasons.</summary>
    public required Jsonb LowConfidenceReasons { get; init; }
}
