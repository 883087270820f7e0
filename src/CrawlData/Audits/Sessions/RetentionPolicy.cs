using System.Text.Json.Serialization;

namespace CrawlData.Audits;

/// <summary>The retention policy of a session's artifacts: PostgreSQL's enum <c>retention_policy_enum</c>. <see cref="RetentionDurations"/> has the duration of
/// each policy.</summary>
[JsonConverter(typeof(LabelConverter<RetentionPolicy>))]
public enum RetentionPolicy
{
    /// <summary>Artifacts are kept for <see cref="RetentionDurations.Standard"/>: 90 days by default.</summary>
    [JsonStringEnumMemberName("standard")]
    Standard,

    /// <summary>Artifacts are kept for <see cref="RetentionDurations.Short"/>: 14 days by default.</summary>
    [JsonStringEnumMemberName("short")]
    Short,

    /// <summary>Artifacts are kept for <see cref="RetentionDurations.Long"/>: 365 days by default.</summary>
    [JsonStringEnumMemberName("long")]
    Long,
}
