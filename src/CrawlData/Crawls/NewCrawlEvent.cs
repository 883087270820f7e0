using CrawlData.Storage;

namespace CrawlData.Crawls;

/// <summary>An event to append to a crawl.</summary>
/// <remarks>Each property is checked when it is set. So an invalid event fails alone, before it can fail a batch.</remarks>
/// <example>
/// <code>
/// var opened = new NewCrawlEvent { EventType = "page.opened", Payload = Jsonb.From(new { step = 3, url }) };
/// </code>
/// </example>
public sealed record NewCrawlEvent
{
    /// <summary>The type of the event: 1 to 50 characters. PostgreSQL counts a character as one Unicode code point. A longer text is refused, not
    /// truncated.</summary>
    /// <exception cref="InvalidValueException">The value is empty, is too long, or holds U+0000 or a lone surrogate.</exception>
    public required string EventType { get; init => field = CrawledText.Require(value, "event_type", 50); }

    /// <summary>The content of the event, as JSON. The value <c>default</c> is stored as the JSON literal <c>null</c>.</summary>
    /// <exception cref="InvalidValueException">The value is larger than 32 MiB. Only a value that another writer stored can be.</exception>
    public required Jsonb Payload { get; init => field = JsonbValidator.RequireSize(value, "payload"); }

    /// <summary>The time of the event, in any offset. It is stored in UTC and truncated to microseconds.</summary>
    /// <value>The default is null: the database's clock at the start of the transaction that stores the event.</value>
    /// <exception cref="InvalidValueException">The value is <see cref="DateTimeOffset.MinValue"/> or <see cref="DateTimeOffset.MaxValue"/>.</exception>
    public DateTimeOffset? CreatedAt { get => CreatedInstant?.ToDateTimeOffset(); init => CreatedInstant = Timestamps.ToInstant(value, "created_at"); }

    /// <summary>As <see cref="CreatedAt"/>. An import may set a time that <see cref="DateTimeOffset"/> cannot hold.</summary>
    internal Instant? CreatedInstant { get; init; }
}
