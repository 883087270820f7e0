using System.Text.Json.Serialization;

namespace CrawlData.Audits;

/// <summary>The type of a page: PostgreSQL's enum <c>page_type_enum</c>.</summary>
[JsonConverter(typeof(LabelConverter<PageType>))]
public enum PageType
{
    /// <summary>The site's homepage.</summary>
    [JsonStringEnumMemberName("homepage")]
    Homepage,

    /// <summary>A product detail page (PDP).</summary>
    [JsonStringEnumMemberName("pdp")]
    Pdp,
}
