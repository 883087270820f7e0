using CrawlData.Storage;

namespace CrawlData.Audits;

/// <summary>Restricts which sessions are listed or counted. A session must match all properties that are set.</summary>
public sealed record AuditSessionFilter
{
    internal static readonly AuditSessionFilter All = new();

    /// <summary>Only sessions in one of these statuses. An empty collection matches no session.</summary>
    /// <value>The default is null: all statuses.</value>
    /// <exception cref="InvalidValueException">One of the values is not defined.</exception>
    public IReadOnlyCollection<AuditSessionStatus>? Statuses { get; init => field = EnumLabels.Require(value, "statuses"); }

    /// <summary>Only sessions with this version of the crawl policy, compared exactly.</summary>
    /// <value>The default is null: all versions.</value>
    /// <exception cref="InvalidValueException">The value holds U+0000 or a lone surrogate.</exception>
    public string? CrawlPolicyVersion { get; init => field = value is null ? null : CrawledText.Require(value, "crawl_policy_version"); }

    /// <summary>Only sessions in one of these modes. An empty collection matches no session.</summary>
    /// <value>The default is null: all modes.</value>
    /// <exception cref="InvalidValueException">One of the values is not defined.</exception>
    public IReadOnlyCollection<AuditMode>? Modes { get; init => field = EnumLabels.Require(value, "modes"); }

    /// <summary>True for only sessions with low confidence in their findings; false for only the other sessions.</summary>
    /// <value>The default is null: all sessions.</value>
    public bool? LowConfidence { get; init; }

    /// <summary>Only sessions created at this time or later. It may have any offset.</summary>
    /// <value>The default is null: no earliest time.</value>
    /// <exception cref="InvalidValueException">The value is <see cref="DateTimeOffset.MinValue"/> or <see cref="DateTimeOffset.MaxValue"/>.</exception>
    public DateTimeOffset? CreatedFrom { get; init => field = Timestamps.Require(value, "created_from"); }

    /// <summary>Only sessions created before this time. It may have any offset.</summary>
    /// <value>The default is null: no latest time.</value>
    /// <exception cref="InvalidValueException">The value is <see cref="DateTimeOffset.MinValue"/> or <see cref="DateTimeOffset.MaxValue"/>.</exception>
    public DateTimeOffset? CreatedBefore { get; init => field = Timestamps.Require(value, "created_before"); }
}
