using System.Text.Json.Serialization;
using CrawlData.Storage;

namespace CrawlData.Audits;

/// <summary>How long a session's artifacts are kept: PostgreSQL's <c>retention_policy_enum</c>. <see cref="RetentionDurations"/> says how long each is.</summary>
[JsonConverter(typeof(LabelConverter<RetentionPolicy>))]
public enum RetentionPolicy
{
    /// <summary>The usual time.</summary>
    [JsonStringEnumMemberName("standard")]
    Standard,

    /// <summary>A shorter time.</summary>
    [JsonStringEnumMemberName("short")]
    Short,

    /// <summary>A longer time.</summary>
    [JsonStringEnumMemberName("long")]
    Long,
}
