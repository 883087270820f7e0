using System.Text.Json.Serialization;

namespace CrawlData.Diagnostics;

/// <summary>A run or an audit session that has not ended.</summary>
public sealed record UnfinishedWork
{
    /// <summary>Gets the id of the run or session.</summary>
    public required Guid Id { get; init; }

    /// <summary>Gets the time of creation, in UTC.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Gets the time from creation to <see cref="DatabaseStatus.ReadAt"/>. JSON has it in seconds, as <c>age_seconds</c>.</summary>
    [JsonPropertyName("age_seconds")]
    [JsonConverter(typeof(SecondsConverter))]
    public required TimeSpan Age { get; init; }
}
