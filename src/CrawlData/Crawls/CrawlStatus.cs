using System.Text.Json.Serialization;
using CrawlData.Storage;

namespace CrawlData.Crawls;

/// <summary>Where a crawl run stands: PostgreSQL's <c>crawl_status</c>. A run goes PENDING → RUNNING → COMPLETED or FAILED; PENDING or RUNNING → CANCELLED;
/// and PENDING → FAILED when it never started.</summary>
[JsonConverter(typeof(LabelConverter<CrawlStatus>))]
public enum CrawlStatus
{
    /// <summary>Created, not started.</summary>
    [JsonStringEnumMemberName("PENDING")]
    Pending,

    /// <summary>Started, not ended.</summary>
    [JsonStringEnumMemberName("RUNNING")]
    Running,

    /// <summary>Ended well.</summary>
    [JsonStringEnumMemberName("COMPLETED")]
    Completed,

    /// <summary>Ended with an error.</summary>
    [JsonStringEnumMemberName("FAILED")]
    Failed,

    /// <summary>Called off before it ended.</summary>
    [JsonStringEnumMemberName("CANCELLED")]
    Cancelled,
}
