using CrawlData.Storage;

namespace CrawlData.Crawls;

/// <summary>Restricts which runs are listed or counted. A run must match all properties that are set.</summary>
public sealed record CrawlRunFilter
{
    internal static readonly CrawlRunFilter All = new();

    /// <summary>Only runs in one of these statuses. An empty collection matches no run.</summary>
    /// <value>The default is null: all statuses.</value>
    /// <exception cref="InvalidValueException">One of the values is not defined.</exception>
    public IReadOnlyCollection<CrawlStatus>? Statuses { get; init => field = EnumLabels.Require(value, "statuses"); }

    /// <summary>Only runs of the app with this package name, compared exactly.</summary>
    /// <value>The default is null: all apps.</value>
    /// <exception cref="InvalidValueException">The value holds U+0000 or a lone surrogate.</exception>
    public string? AppPackage { get; init => field = value is null ? null : CrawledText.Require(value, "app_package"); }

    /// <summary>Only runs created at this time or later. It may have any offset.</summary>
    /// <value>The default is null: no earliest time.</value>
    /// <exception cref="InvalidValueException">The value is <see cref="DateTimeOffset.MinValue"/> or <see cref="DateTimeOffset.MaxValue"/>.</exception>
    public DateTimeOffset? CreatedFrom { get; init => field = Timestamps.Require(value, "created_from"); }

    /// <summary>Only runs created before this time. It may have any offset.</summary>
    /// <value>The default is null: no latest time.</value>
    /// <exception cref="InvalidValueException">The value is <see cref="DateTimeOffset.MinValue"/> or <see cref="DateTimeOffset.MaxValue"/>.</exception>
    public DateTimeOffset? CreatedBefore { get; init => field = Timestamps.Require(value, "created_before"); }
}
