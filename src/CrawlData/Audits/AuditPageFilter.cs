namespace CrawlData.Audits;

/// <summary>Which of a session's pages to list; a property that is null lets all through.</summary>
public sealed record AuditPageFilter
{
    internal static readonly AuditPageFilter All = new();

    /// <summary>Pages of this type.</summary>
    public PageType? PageType { get; init; }

    /// <summary>Pages seen in this viewport.</summary>
    public Viewport? Viewport { get; init; }
}
