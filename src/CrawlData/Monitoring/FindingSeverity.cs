using System.Text.Json.Serialization;

namespace CrawlData.Diagnostics;

/// <summary>How much a <see cref="DatabaseFinding"/> matters.</summary>
[JsonConverter(typeof(LabelConverter<FindingSeverity>))]
public enum FindingSeverity
{
    /// <summary>A promise of this library is void: rows can be lost or damaged.</summary>
    [JsonStringEnumMemberName("error")]
    Error,

    /// <summary>No promise is void, but an operator has to act.</summary>
    [JsonStringEnumMemberName("warning")]
    Warning,

    /// <summary>The role lacks a right, so something was not checked.</summary>
    [JsonStringEnumMemberName("unchecked")]
    Unchecked,
}
