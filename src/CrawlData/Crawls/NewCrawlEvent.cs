using CrawlData.Storage;
namespace CrawlData.Crawls;

/// <summary>An event to be appended to a crawl. Each property is checked where it is set, so a bad event fails alone and never with its batch.</summary>
public sealed record NewCrawlEvent
{
    /// <summary>What kind of event it is: 1 to 50 characters as PostgreSQL counts them (Unicode code points), never cut.</summary>
    /// <exception cref="InvalidValueException">The value is empty, too long, or holds U+0000 or a lone surrogate.</exception>
    public required string EventType { get; init => field = CrawledText.Require(value, "event_type", 50); }

    /// <summary>What happened; <c>default</c> is stored as the JSON literal <c>null</c>.</summary>
    public required Jsonb Payload { get; init; }

    /// <summary>When it happened, in any offset; kept in UTC, cut to microseconds. The database's clock at the start of the transaction when null.</summary>
    /// <exception cref="InvalidValueException">The value is <see cref="DateTimeOffset.MinValue"/> or <see cref="DateTimeOffset.MaxValue"/>.</exception>
    public DateTimeOffset? CreatedAt { get; init => field = Timestamps.Require(value, "created_at"); }
}
