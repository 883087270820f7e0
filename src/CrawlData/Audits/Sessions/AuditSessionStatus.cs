using System.Text.Json.Serialization;

namespace CrawlData.Audits;

/// <summary>The status of an audit session: PostgreSQL's enum <c>audit_session_status_enum</c>.</summary>
/// <remarks>A session goes from queued to running, and then to completed, partial or failed. A failed or partial session may be queued again for another
/// attempt. A stale session goes from running back to queued or, after its last attempt, to failed.</remarks>
[JsonConverter(typeof(LabelConverter<AuditSessionStatus>))]
public enum AuditSessionStatus
{
    /// <summary>The session waits in the queue for a worker.</summary>
    [JsonStringEnumMemberName("queued")]
    Queued,

    /// <summary>An attempt runs: a worker has claimed or started the session.</summary>
    [JsonStringEnumMemberName("running")]
    Running,

    /// <summary>The last attempt ended with all results.</summary>
    [JsonStringEnumMemberName("completed")]
    Completed,

    /// <summary>The last attempt failed, or was stale.</summary>
    [JsonStringEnumMemberName("failed")]
    Failed,

    /// <summary>The last attempt ended with a part of the results.</summary>
    [JsonStringEnumMemberName("partial")]
    Partial,
}
