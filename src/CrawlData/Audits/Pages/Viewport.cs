using System.Text.Json.Serialization;

namespace CrawlData.Audits;

/// <summary>The viewport in which a page is loaded: PostgreSQL's enum <c>viewport_enum</c>.</summary>
[JsonConverter(typeof(LabelConverter<Viewport>))]
public enum Viewport
{
    /// <summary>The viewport of a desktop computer.</summary>
    [JsonStringEnumMemberName("desktop")]
    Desktop,

    /// <summary>The viewport of a mobile phone.</summary>
    [JsonStringEnumMemberName("mobile")]
    Mobile,
}
