using System.Text.Json.Serialization;

namespace CrawlData.Crawls;

/// <summary>The status of a crawl run: PostgreSQL's enum <c>crawl_status</c>.</summary>
/// <remarks>A run goes from PENDING to RUNNING, and then to COMPLETED or FAILED. A run that is PENDING or RUNNING may become CANCELLED. A run that never
/// started may become FAILED. No transition leads out of COMPLETED, FAILED or CANCELLED.</remarks>
[JsonConverter(typeof(LabelConverter<CrawlStatus>))]
public enum CrawlStatus
{
    /// <summary>The run was created, and has not started.</summary>
    [JsonStringEnumMemberName("PENDING")]
    Pending,

    /// <summary>The run has started, and has not ended.</summary>
    [JsonStringEnumMemberName("RUNNING")]
    Running,

    /// <summary>The run ended without an error.</summary>
    [JsonStringEnumMemberName("COMPLETED")]
    Completed,

    /// <summary>The run ended with an error, or could not start. <see cref="CrawlRun.ErrorMessage"/> has the reason.</summary>
    [JsonStringEnumMemberName("FAILED")]
    Failed,

    /// <summary>The run was cancelled before it ended.</summary>
    [JsonStringEnumMemberName("CANCELLED")]
    Cancelled,
}
