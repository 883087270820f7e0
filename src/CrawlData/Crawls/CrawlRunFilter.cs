using CrawlData.Storage;
namespace CrawlData.Crawls;

/// <summary>Which runs to list or count; a property that is null lets all through.</summary>
public sealed record CrawlRunFilter
{
    internal static readonly CrawlRunFilter All = new();

    /// <summary>Runs in one of these statuses; none at all when empty.</summary>
    /// <exception cref="InvalidValueException">One of them is none of the enum's.</exception>
    public IReadOnlyCollection<CrawlStatus>? Statuses { get; init => field = EnumLabels.Require(value, "statuses"); }

    /// <summary>Runs of this app package, exactly.</summary>
    /// <exception cref="InvalidValueException">The value holds U+0000 or a lone surrogate.</exception>
    public string? AppPackage { get; init => field = value is null ? null : CrawledText.Require(value, "app_package"); }

    /// <summary>Runs created at this instant or later.</summary>
    /// <exception cref="InvalidValueException">The value is <see cref="DateTimeOffset.MinValue"/> or <see cref="DateTimeOffset.MaxValue"/>.</exception>
    public DateTimeOffset? CreatedFrom { get; init => field = Timestamps.Require(value, "created_from"); }

    /// <summary>Runs created before this instant.</summary>
    /// <exception cref="InvalidValueException">The value is <see cref="DateTimeOffset.MinValue"/> or <see cref="DateTimeOffset.MaxValue"/>.</exception>
    public DateTimeOffset? CreatedBefore { get; init => field = Timestamps.Require(value, "created_before"); }
}
