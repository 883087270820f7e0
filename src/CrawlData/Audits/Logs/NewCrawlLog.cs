using CrawlData.Storage;
namespace CrawlData.Audits;

/// <summary>A line to be appended to a session's log. Each property is checked where it is set and throws <see cref="InvalidValueException"/>, so a bad line
/// fails alone and never with its batch.</summary>
public sealed record NewCrawlLog
{
    private static readonly Jsonb EmptyObject = Jsonb.Parse("{}");

    /// <summary>How grave it is; info unless set.</summary>
    public CrawlLogLevel Level { get; init => field = EnumLabels.Require(value, "level"); }

    /// <summary>What it is about.</summary>
    public required CrawlLogEventType EventType { get; init => field = EnumLabels.Require(value, "event_type"); }

    /// <summary>What happened, in words. Text that a crawled page had a part in goes through <see cref="CrawledText.Repair"/> first.</summary>
    public required string Message { get; init => field = CrawledText.Require(value, "message"); }

    /// <summary>What happened, in keys and values; <c>{}</c> unless set.</summary>
    public Jsonb Details { get; init; } = EmptyObject;

    /// <summary>When it happened, in any offset; kept in UTC, cut to microseconds, and neither <see cref="DateTimeOffset.MinValue"/> nor <see
    /// cref="DateTimeOffset.MaxValue"/>. The database's clock at the start of the transaction when null.</summary>
    public DateTimeOffset? Timestamp { get; init => field = Timestamps.Require(value, "timestamp"); }
}
