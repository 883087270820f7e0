namespace CrawlData.Audits;

/// <summary>Which of a session's pages to list; a property that is null lets all through.</summary>
public sealed record AuditPageFilter
{
    internal static readonly AuditPageFilter All = new();

    /// <summary>Pages of one of these types; none at all when empty.</summary>
    public IReadOnlyCollection<PageType>? PageTypes { get; init; }

    /// <summary>Pages seen in one of these viewports; none at all when empty.</summary>
    public IReadOnlyCollection<Viewport>? Viewports { get; init; }
}
