using System.Text.Json.Serialization;
using CrawlData.Storage;

namespace CrawlData.Audits;

/// <summary>How much an audit keeps: PostgreSQL's <c>audit_mode_enum</c>.</summary>
[JsonConverter(typeof(LabelConverter<AuditMode>))]
public enum AuditMode
{
    /// <summary>The usual.</summary>
    [JsonStringEnumMemberName("standard")]
    Standard,

    /// <summary>With what helps to understand a run.</summary>
    [JsonStringEnumMemberName("debug")]
    Debug,

    /// <summary>With all that proves a finding.</summary>
    [JsonStringEnumMemberName("evidence_pack")]
    EvidencePack,
}
