using System.Text.Json.Serialization;

namespace CrawlData.Crawls;

/// <summary>Where a crawl run stands: PostgreSQL's <c>crawl_status</c>. A run goes PENDING → RUNNING → COMPLETED or FAILED; PENDING or RUNNING → CANCELLED;
/// and PENDING → FAILED when it never started.</summary>
[JsonConverter(typeof(CrawlStatusConverter))]
public enum CrawlStatus
{
    /// <summary><c>PENDING</c>: created, not started.</summary>
    Pending,

    /// <summary><c>RUNNING</c>: started, not ended.</summary>
    Running,

    /// <summary><c>COMPLETED</c>: ended well.</summary>
    Completed,

    /// <summary><c>FAILED</c>: ended with an error.</summary>
    Failed,

    /// <summary><c>CANCELLED</c>: called off before it ended.</summary>
    Cancelled,
}
