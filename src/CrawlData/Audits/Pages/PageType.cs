using System.Text.Json.Serialization;
using CrawlData.Storage;

namespace CrawlData.Audits;

/// <summary>What kind of page it is: PostgreSQL's <c>page_type_enum</c>.</summary>
[JsonConverter(typeof(LabelConverter<PageType>))]
public enum PageType
{
    /// <summary>The site's home page.</summary>
    [JsonStringEnumMemberName("homepage")]
    Homepage,

    /// <summary>A product detail page.</summary>
    [JsonStringEnumMemberName("pdp")]
    Pdp,
}
