using System.Text.Json.Serialization;
using CrawlData.Storage;

namespace CrawlData.Audits;

/// <summary>Whether a page was seen: PostgreSQL's <c>page_status_enum</c>.</summary>
[JsonConverter(typeof(LabelConverter<PageStatus>))]
public enum PageStatus
{
    /// <summary>It was loaded.</summary>
    [JsonStringEnumMemberName("ok")]
    Ok,

    /// <summary>It could not be loaded.</summary>
    [JsonStringEnumMemberName("failed")]
    Failed,

    /// <summary>It is still to be loaded.</summary>
    [JsonStringEnumMemberName("pending")]
    Pending,
}
