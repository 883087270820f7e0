using System.Text.Json.Serialization;
using CrawlData.Storage;

namespace CrawlData.Audits;

/// <summary>As what device a page is seen: PostgreSQL's <c>viewport_enum</c>.</summary>
[JsonConverter(typeof(LabelConverter<Viewport>))]
public enum Viewport
{
    /// <summary>A desktop's.</summary>
    [JsonStringEnumMemberName("desktop")]
    Desktop,

    /// <summary>A mobile phone's.</summary>
    [JsonStringEnumMemberName("mobile")]
    Mobile,
}
