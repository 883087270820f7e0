using CrawlData.Storage;

namespace CrawlData.Audits;

/// <summary>A line to append to a session's log.</summary>
/// <remarks>Each property is checked when it is set. So an invalid line fails alone, before it can fail a batch.</remarks>
public sealed record NewCrawlLog
{
    private static readonly Jsonb EmptyObject = Jsonb.Parse("{}");

    /// <summary>The severity of the line.</summary>
    /// <value>The default is <see cref="CrawlLogLevel.Info"/>.</value>
    /// <exception cref="InvalidValueException">The value is not defined.</exception>
    public CrawlLogLevel Level { get; init => field = EnumLabels.Require(value, "level"); }

    /// <summary>The type of the logged event.</summary>
    /// <exception cref="InvalidValueException">The value is not defined.</exception>
    public required CrawlLogEventType EventType { get; init => field = EnumLabels.Require(value, "event_type"); }

    /// <summary>The message, in words, of any length. Pass text from a crawled page through <see cref="CrawledText.Repair"/> first.</summary>
    /// <exception cref="InvalidValueException">The value holds U+0000 or a lone surrogate.</exception>
    public required string Message { get; init => field = CrawledText.Require(value, "message"); }

    /// <summary>The details of the event, as JSON: keys and values.</summary>
    /// <value>The default is <c>{}</c>.</value>
    /// <exception cref="InvalidValueException">The value is larger than 32 MiB. Only a value that another writer stored can be.</exception>
    public Jsonb Details { get; init => field = JsonbValidator.RequireSize(value, "details"); } = EmptyObject;

    /// <summary>The time of the event, in any offset. It is stored in UTC and truncated to microseconds.</summary>
    /// <value>The default is null: the database's clock at the start of the transaction that stores the line.</value>
    /// <exception cref="InvalidValueException">The value is <see cref="DateTimeOffset.MinValue"/> or <see cref="DateTimeOffset.MaxValue"/>.</exception>
    public DateTimeOffset? Timestamp { get => TimestampInstant?.ToDateTimeOffset(); init => TimestampInstant = Timestamps.ToInstant(value, "timestamp"); }

    /// <summary>As <see cref="Timestamp"/>. An import may set a time that <see cref="DateTimeOffset"/> cannot hold.</summary>
    internal Instant? TimestampInstant { get; init; }
}
