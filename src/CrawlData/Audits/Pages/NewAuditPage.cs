using CrawlData.Storage;

namespace CrawlData.Audits;

/// <summary>A page to insert into a session.</summary>
public sealed record NewAuditPage
{
    private static readonly Jsonb EmptyObject = Jsonb.Parse("{}");

    private static readonly Jsonb EmptyArray = Jsonb.Parse("[]");

    /// <summary>The page's id.</summary>
    /// <value>The default is null: the library makes a new UUID version 7.</value>
    public Guid? Id { get; init; }

    /// <summary>The type of the page.</summary>
    /// <exception cref="InvalidValueException">The value is not defined.</exception>
    public required PageType PageType { get; init => field = EnumLabels.Require(value, "page_type"); }

    /// <summary>The viewport in which the page is loaded.</summary>
    /// <exception cref="InvalidValueException">The value is not defined.</exception>
    public required Viewport Viewport { get; init => field = EnumLabels.Require(value, "viewport"); }

    /// <summary>The page's status: whether it was loaded.</summary>
    /// <value>The default is <see cref="PageStatus.Pending"/>.</value>
    /// <exception cref="InvalidValueException">The value is not defined.</exception>
    public PageStatus Status { get; init => field = EnumLabels.Require(value, "status"); } = PageStatus.Pending;

    /// <summary>The timestamps and durations of the page load, as JSON. Your auditing program chooses its form.</summary>
    /// <value>The default is <c>{}</c>.</value>
    /// <exception cref="InvalidValueException">The value is larger than 32 MiB. Only a value that another writer stored can be.</exception>
    public Jsonb LoadTimings { get; init => field = JsonbValidator.RequireSize(value, "load_timings"); } = EmptyObject;

    /// <summary>The reasons for low confidence in the page's findings, as JSON: an array, or structured reasons.</summary>
    /// <value>The default is <c>[]</c>.</value>
    /// <exception cref="InvalidValueException">The value is larger than 32 MiB. Only a value that another writer stored can be.</exception>
    public Jsonb LowConfidenceReasons
    {
        get;
        init => field = JsonbValidator.RequireSize(value, "low_confidence_reasons");
    } = EmptyArray;
}
