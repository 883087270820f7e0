using CrawlData.Storage;
namespace CrawlData.Audits;

/// <summary>Which lines of a session's log to read; a property that is null lets all through. Lines come in the order of their timestamps, and of their ids where
/// those are equal.</summary>
public sealed record CrawlLogFilter
{
    internal static readonly CrawlLogFilter All = new();

    /// <summary>Lines of one of these levels; none at all when empty.</summary>
    /// <exception cref="InvalidValueException">One of them is none of the enum's.</exception>
    public IReadOnlyCollection<CrawlLogLevel>? Levels { get; init => field = EnumLabels.Require(value, "levels"); }

    /// <summary>Lines about one of these; none at all when empty.</summary>
    /// <exception cref="InvalidValueException">One of them is none of the enum's.</exception>
    public IReadOnlyCollection<CrawlLogEventType>? EventTypes { get; init => field = EnumLabels.Require(value, "event_types"); }

    /// <summary>Lines of this instant or later.</summary>
    /// <exception cref="InvalidValueException">The value is <see cref="DateTimeOffset.MinValue"/> or <see cref="DateTimeOffset.MaxValue"/>.</exception>
    public DateTimeOffset? TimestampFrom { get; init => field = Timestamps.Require(value, "timestamp_from"); }

    /// <summary>Lines before this instant.</summary>
    /// <exception cref="InvalidValueException">The value is <see cref="DateTimeOffset.MinValue"/> or <see cref="DateTimeOffset.MaxValue"/>.</exception>
    public DateTimeOffset? TimestampBefore { get; init => field = Timestamps.Require(value, "timestamp_before"); }
}
