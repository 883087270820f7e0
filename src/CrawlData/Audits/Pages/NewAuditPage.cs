using CrawlData.Storage;
namespace CrawlData.Audits;

/// <summary>A page to be inserted into a session.</summary>
/// <remarks>An enum's value that is none of its own is refused where it is set, with <see cref="InvalidValueException"/>.</remarks>
public sealed record NewAuditPage
{
    private static readonly Jsonb EmptyObject = Jsonb.Parse("{}");

    private static readonly Jsonb EmptyArray = Jsonb.Parse("[]");

    /// <summary>The page's id; a new UUID version 7 when null.</summary>
    public Guid? Id { get; init; }

    /// <summary>What kind of page it is.</summary>
    public required PageType PageType { get; init => field = EnumLabels.Require(value, "page_type"); }

    /// <summary>As what device it is seen.</summary>
    public required Viewport Viewport { get; init => field = EnumLabels.Require(value, "viewport"); }

    /// <summary>Whether it was seen; pending unless set.</summary>
    public PageStatus Status { get; init => field = EnumLabels.Require(value, "status"); } = PageStatus.Pending;

    /// <summary>Timestamps and durations of its load; <c>{}</c> unless set.</summary>
    public Jsonb LoadTimings { get; init; } = EmptyObject;

    /// <summary>Why its findings are to be taken with care: an array, or structured reasons; <c>[]</c> unless set.</summary>
    public Jsonb LowConfidenceReasons { get; init; } = EmptyArray;
}
