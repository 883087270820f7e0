using CrawlData.Storage;
namespace CrawlData.Audits;

/// <summary>Which of a session's pages to list; a property that is null lets all through.</summary>
public sealed record AuditPageFilter
{
    internal static readonly AuditPageFilter All = new();

    /// <summary>Pages of one of these types; none at all when empty.</summary>
    /// <exception cref="InvalidValueException">One of them is none of the enum's.</exception>
    public IReadOnlyCollection<PageType>? PageTypes { get; init => field = EnumLabels.Require(value, "page_types"); }

    /// <summary>Pages seen in one of these viewports; none at all when empty.</summary>
    /// <exception cref="InvalidValueException">One of them is none of the enum's.</exception>
    public IReadOnlyCollection<Viewport>? Viewports { get; init => field = EnumLabels.Require(value, "viewports"); }
}
