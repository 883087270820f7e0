using System.Text.Json.Serialization;

namespace CrawlData.Audits;

/// <summary>The type of an event in a session's log: PostgreSQL's enum <c>event_type_enum</c>.</summary>
[JsonConverter(typeof(LabelConverter<CrawlLogEventType>))]
public enum CrawlLogEventType
{
    /// <summary>A navigation to a page. The library also logs the start of a session's first attempt with this type.</summary>
    [JsonStringEnumMemberName("navigation")]
    Navigation,

    /// <summary>A pop-up on a page.</summary>
    [JsonStringEnumMemberName("popup")]
    Popup,

    /// <summary>A retry. The library also logs the start of each later attempt with this type.</summary>
    [JsonStringEnumMemberName("retry")]
    Retry,

    /// <summary>An exceeded time limit.</summary>
    [JsonStringEnumMemberName("timeout")]
    Timeout,

    /// <summary>An error.</summary>
    [JsonStringEnumMemberName("error")]
    Error,

    /// <summary>An artifact that was made.</summary>
    [JsonStringEnumMemberName("artifact")]
    Artifact,
}
