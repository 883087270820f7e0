using System.Text.Json.Serialization;

namespace CrawlData.Crawls;

/// <summary>How two crawls differ in a key.</summary>
[JsonConverter(typeof(LabelConverter<CrawlDifferenceKind>))]
public enum CrawlDifferenceKind
{
    /// <summary>Only the newer crawl has the key.</summary>
    [JsonStringEnumMemberName("added")]
    Added,

    /// <summary>Only the older crawl has the key.</summary>
    [JsonStringEnumMemberName("removed")]
    Removed,

    /// <summary>Both crawls have the key, with other values.</summary>
    [JsonStringEnumMemberName("changed")]
    Changed,
}
