using CrawlData.Storage;
namespace CrawlData.Audits;

/// <summary>Which sessions to list or count; a property that is null lets all through.</summary>
public sealed record AuditSessionFilter
{
    internal static readonly AuditSessionFilter All = new();

    /// <summary>Sessions in one of these statuses; none at all when empty.</summary>
    /// <exception cref="InvalidValueException">One of them is none of the enum's.</exception>
    public IReadOnlyCollection<AuditSessionStatus>? Statuses { get; init => field = EnumLabels.Require(value, "statuses"); }

    /// <summary>Sessions of this version of the crawl policy, exactly.</summary>
    /// <exception cref="InvalidValueException">The value holds U+0000 or a lone surrogate.</exception>
    public string? CrawlPolicyVersion { get; init => field = value is null ? null : CrawledText.Require(value, "crawl_policy_version"); }

    /// <summary>Sessions of one of these modes; none at all when empty.</summary>
    /// <exception cref="InvalidValueException">One of them is none of the enum's.</exception>
    public IReadOnlyCollection<AuditMode>? Modes { get; init => field = EnumLabels.Require(value, "modes"); }

    /// <summary>Sessions whose findings are, or are not, of low confidence.</summary>
    public bool? LowConfidence { get; init; }

    /// <summary>Sessions created at this instant or later.</summary>
    /// <exception cref="InvalidValueException">The value is <see cref="DateTimeOffset.MinValue"/> or <see cref="DateTimeOffset.MaxValue"/>.</exception>
    public DateTimeOffset? CreatedFrom { get; init => field = Timestamps.Require(value, "created_from"); }

    /// <summary>Sessions created before this instant.</summary>
    /// <exception cref="InvalidValueException">The value is <see cref="DateTimeOffset.MinValue"/> or <see cref="DateTimeOffset.MaxValue"/>.</exception>
    public DateTimeOffset? CreatedBefore { get; init => field = Timestamps.Require(value, "created_before"); }
}
