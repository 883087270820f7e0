using CrawlData.Storage;

namespace CrawlData.Audits;

/// <summary>Restricts which lines of a session's log are read. A line must match all properties that are set.</summary>
/// <remarks>Lines are read in the order of their timestamps. Lines with equal timestamps are in the order of their ids.</remarks>
public sealed record CrawlLogFilter
{
    internal static readonly CrawlLogFilter All = new();

    /// <summary>Only lines of one of these levels. An empty collection matches no line.</summary>
    /// <value>The default is null: all levels.</value>
    /// <exception cref="InvalidValueException">One of the values is not defined.</exception>
    public IReadOnlyCollection<CrawlLogLevel>? Levels { get; init => field = EnumLabels.Require(value, "levels"); }

    /// <summary>Only lines about events of one of these types. An empty collection matches no line.</summary>
    /// <value>The default is null: all types.</value>
    /// <exception cref="InvalidValueException">One of the values is not defined.</exception>
    public IReadOnlyCollection<CrawlLogEventType>? EventTypes { get; init => field = EnumLabels.Require(value, "event_types"); }

    /// <summary>Only lines with this timestamp or a later one. It may have any offset.</summary>
    /// <value>The default is null: no earliest time.</value>
    /// <exception cref="InvalidValueException">The value is <see cref="DateTimeOffset.MinValue"/> or <see cref="DateTimeOffset.MaxValue"/>.</exception>
    public DateTimeOffset? TimestampFrom { get; init => field = Timestamps.Require(value, "timestamp_from"); }

    /// <summary>Only lines with an earlier timestamp. It may have any offset.</summary>
    /// <value>The default is null: no latest time.</value>
    /// <exception cref="InvalidValueException">The value is <see cref="DateTimeOffset.MinValue"/> or <see cref="DateTimeOffset.MaxValue"/>.</exception>
    public DateTimeOffset? TimestampBefore { get; init => field = Timestamps.Require(value, "timestamp_before"); }
}
