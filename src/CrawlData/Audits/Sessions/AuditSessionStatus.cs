using System.Text.Json.Serialization;
using CrawlData.Storage;

namespace CrawlData.Audits;

/// <summary>Where an audit session stands: PostgreSQL's <c>audit_session_status_enum</c>. A session goes queued → running → completed, partial or failed; and
/// from failed or partial back to queued for another attempt.</summary>
[JsonConverter(typeof(LabelConverter<AuditSessionStatus>))]
public enum AuditSessionStatus
{
    /// <summary>Waits for a worker.</summary>
    [JsonStringEnumMemberName("queued")]
    Queued,

    /// <summary>A worker is at it.</summary>
    [JsonStringEnumMemberName("running")]
    Running,

    /// <summary>Ended with all that was asked for.</summary>
    [JsonStringEnumMemberName("completed")]
    Completed,

    /// <summary>Ended without a result.</summary>
    [JsonStringEnumMemberName("failed")]
    Failed,

    /// <summary>Ended with some of what was asked for.</summary>
    [JsonStringEnumMemberName("partial")]
    Partial,
}
