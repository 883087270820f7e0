using System.Text.Json.Serialization;

namespace CrawlData.Crawls;

/// <summary>Where a crawl run stands: PostgreSQL's <c>crawl_status</c>. A run goes PENDING → RUNNING → COMPLETED or FAILED; PENDING or RUNNING → CANCELLED; and
/// PENDING → FAILED when it never started.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<CrawlStatus>))]
public enum CrawlStatus
{
    /// <summary><c>PENDING</c>: created, not started.</summary>
    [JsonStringEnumMemberName("PENDING")]
    Pending,

    /// <summary><c>RUNNING</c>: started, not ended.</summary>
    [JsonStringEnumMemberName("RUNNING")]
    Running,

    /// <summary><c>COMPLETED</c>: ended well.</summary>
    [JsonStringEnumMemberName("COMPLETED")]
    Completed,

    /// <summary><c>FAILED</c>: ended with an error.</summary>
    [JsonStringEnumMemberName("FAILED")]
    Failed,

    /// <summary><c>CANCELLED</c>: called off before it ended.</summary>
    [JsonStringEnumMemberName("CANCELLED")]
    Cancelled,
}
