using System.Text.Json.Serialization;

namespace CrawlData.Audits;

/// <summary>The severity of a log line: PostgreSQL's enum <c>log_level_enum</c>.</summary>
[JsonConverter(typeof(LabelConverter<CrawlLogLevel>))]
public enum CrawlLogLevel
{
    /// <summary>Information about an expected event.</summary>
    [JsonStringEnumMemberName("info")]
    Info,

    /// <summary>A warning about an unexpected event that the worker handled.</summary>
    [JsonStringEnumMemberName("warn")]
    Warn,

    /// <summary>An error.</summary>
    [JsonStringEnumMemberName("error")]
    Error,
}
