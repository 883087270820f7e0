using System.Text.Json.Serialization;
using CrawlData.Storage;

namespace CrawlData.Audits;

/// <summary>What an artifact is: PostgreSQL's <c>artifact_type_enum</c>.</summary>
[JsonConverter(typeof(LabelConverter<ArtifactType>))]
public enum ArtifactType
{
    /// <summary>A picture of the page.</summary>
    [JsonStringEnumMemberName("screenshot")]
    Screenshot,

    /// <summary>The text that a reader sees.</summary>
    [JsonStringEnumMemberName("visible_text")]
    VisibleText,

    /// <summary>What was extracted of the page, as JSON.</summary>
    [JsonStringEnumMemberName("features_json")]
    FeaturesJson,

    /// <summary>The page's HTML, compressed by gzip.</summary>
    [JsonStringEnumMemberName("html_gz")]
    HtmlGz,
}
