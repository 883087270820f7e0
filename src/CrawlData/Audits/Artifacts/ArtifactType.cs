using System.Text.Json.Serialization;

namespace CrawlData.Audits;

/// <summary>The type of an artifact: PostgreSQL's enum <c>artifact_type_enum</c>.</summary>
[JsonConverter(typeof(LabelConverter<ArtifactType>))]
public enum ArtifactType
{
    /// <summary>A screenshot of the page.</summary>
    [JsonStringEnumMemberName("screenshot")]
    Screenshot,

    /// <summary>The visible text of the page.</summary>
    [JsonStringEnumMemberName("visible_text")]
    VisibleText,

    /// <summary>The features that were extracted from the page, as JSON.</summary>
    [JsonStringEnumMemberName("features_json")]
    FeaturesJson,

    /// <summary>The HTML of the page, compressed with gzip.</summary>
    [JsonStringEnumMemberName("html_gz")]
    HtmlGz,
}
