using System.Text.Json.Serialization;

namespace CrawlData.Audits;

/// <summary>The mode of an audit: PostgreSQL's enum <c>audit_mode_enum</c>. The library stores it for your auditing program, and does not act on it.</summary>
[JsonConverter(typeof(LabelConverter<AuditMode>))]
public enum AuditMode
{
    /// <summary>A standard audit.</summary>
    [JsonStringEnumMemberName("standard")]
    Standard,

    /// <summary>An audit for debugging.</summary>
    [JsonStringEnumMemberName("debug")]
    Debug,

    /// <summary>An audit that collects evidence for its findings.</summary>
    [JsonStringEnumMemberName("evidence_pack")]
    EvidencePack,
}
