namespace CrawlData.Audits;

/// <summary>Which of a session's pages to list; a property that is null lets all through.</summary>
public sealed record AuditPageFilter
{
    internal static readonly AuditPageFilter All = new();

    /// <summary>Pages of this type.</summary>
    /// <exception cref="InvalidValueException">The value is none of the enum's.</exception>
    public PageType? PageType { get; init => field = EnumLabels.Require(value, "page_type"); }

    /// <summary>Pages seen in this viewport.</summary>
    /// <exception cref="InvalidValueException">The value is none of the enum's.</exception>
    public Viewport? Viewport { get; init => field = EnumLabels.Require(value, "viewport"); }
}
