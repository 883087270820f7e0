using System.Text.Json.Serialization;
using CrawlData.Storage;

namespace CrawlData.Audits;

/// <summary>What a log line is about: PostgreSQL's <c>event_type_enum</c>.</summary>
[JsonConverter(typeof(LabelConverter<CrawlLogEventType>))]
public enum CrawlLogEventType
{
    /// <summary>A page was opened.</summary>
    [JsonStringEnumMemberName("navigation")]
    Navigation,

    /// <summary>A pop-up was met.</summary>
    [JsonStringEnumMemberName("popup")]
    Popup,

    /// <summary>Something is tried again.</summary>
    [JsonStringEnumMemberName("retry")]
    Retry,

    /// <summary>Something took too long.</summary>
    [JsonStringEnumMemberName("timeout")]
    Timeout,

    /// <summary>Something failed.</summary>
    [JsonStringEnumMemberName("error")]
    Error,

    /// <summary>An artifact was stored.</summary>
    [JsonStringEnumMemberName("artifact")]
    Artifact,
}
