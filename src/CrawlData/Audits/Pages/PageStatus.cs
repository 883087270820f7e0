using System.Text.Json.Serialization;

namespace CrawlData.Audits;

/// <summary>The status of a page: PostgreSQL's enum <c>page_status_enum</c>.</summary>
[JsonConverter(typeof(LabelConverter<PageStatus>))]
public enum PageStatus
{
    /// <summary>The page was loaded.</summary>
    [JsonStringEnumMemberName("ok")]
    Ok,

    /// <summary>The page could not be loaded.</summary>
    [JsonStringEnumMemberName("failed")]
    Failed,

    /// <summary>The page has not been loaded yet.</summary>
    [JsonStringEnumMemberName("pending")]
    Pending,
}
