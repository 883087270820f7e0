using CrawlData.Storage;

namespace CrawlData.Audits;

/// <summary>Restricts which of a session's pages are listed. A page must match all properties that are set.</summary>
public sealed record AuditPageFilter
{
    internal static readonly AuditPageFilter All = new();

    /// <summary>Only pages of one of these types. An empty collection matches no page.</summary>
    /// <value>The default is null: all types.</value>
    /// <exception cref="InvalidValueException">One of the values is not defined.</exception>
    public IReadOnlyCollection<PageType>? PageTypes { get; init => field = EnumLabels.Require(value, "page_types"); }

    /// <summary>Only pages in one of these viewports. An empty collection matches no page.</summary>
    /// <value>The default is null: all viewports.</value>
    /// <exception cref="InvalidValueException">One of the values is not defined.</exception>
    public IReadOnlyCollection<Viewport>? Viewports { get; init => field = EnumLabels.Require(value, "viewports"); }
}
