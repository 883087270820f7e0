using System.Text.Json.Serialization;

namespace CrawlData.Diagnostics;

/// <summary>A run or an audit session that has not ended.</summary>
public sealed record UnfinishedWork
{
    /// <summary>Its id.</summary>
    public required Guid Id { get; init; }

    /// <summary>When it was created, in UTC.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>How long before <see cref="DatabaseStatus.ReadAt"/> that was. In JSON, seconds.</summary>
    [JsonPropertyName("age_seconds")]
    [JsonConverter(typeof(SecondsConverter))]
    public required TimeSpan Age { get; init; }
}
