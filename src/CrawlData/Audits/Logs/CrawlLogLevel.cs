using System.Text.Json.Serialization;
using CrawlData.Storage;

namespace CrawlData.Audits;

/// <summary>How grave a log line is: PostgreSQL's <c>log_level_enum</c>.</summary>
[JsonConverter(typeof(LabelConverter<CrawlLogLevel>))]
public enum CrawlLogLevel
{
    /// <summary>As expected.</summary>
    [JsonStringEnumMemberName("info")]
    Info,

    /// <summary>Unexpected, and dealt with.</summary>
    [JsonStringEnumMemberName("warn")]
    Warn,

    /// <summary>Something failed.</summary>
    [JsonStringEnumMemberName("error")]
    Error,
}
