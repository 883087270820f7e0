using CrawlData.Storage;

namespace CrawlData.Crawls;

/// <summary>Restricts which of a crawl's events are read or counted. An event must match all properties that are set.</summary>
/// <remarks>Events are read in the order of their ids.</remarks>
public sealed record CrawlEventFilter
{
    internal static readonly CrawlEventFilter All = new();

    /// <summary>Only events with a greater id. To resume, pass the id of the last event that was handled.</summary>
    /// <value>The default is null: no lower bound.</value>
    public long? AfterId { get; init; }

    /// <summary>Only events with this id or a lower one.</summary>
    /// <value>The default is null: no upper bound.</value>
    public long? UpToId { get; init; }

    /// <summary>Only events of one of these types, compared exactly. An empty collection matches no event.</summary>
    /// <value>The default is null: all types.</value>
    /// <exception cref="InvalidValueException">One of the types holds U+0000 or a lone surrogate.</exception>
    public IReadOnlyCollection<string>? EventTypes
    {
        get;
        init => field = value?.Select(eventType => CrawledText.Require(eventType, "event_types")).ToArray();
    }

    /// <summary>Only events created at this time or later. It may have any offset.</summary>
    /// <value>The default is null: no earliest time.</value>
    /// <exception cref="InvalidValueException">The value is <see cref="DateTimeOffset.MinValue"/> or <see cref="DateTimeOffset.MaxValue"/>.</exception>
    public DateTimeOffset? CreatedFrom { get; init => field = Timestamps.Require(value, "created_from"); }

    /// <summary>Only events created before this time. It may have any offset.</summary>
    /// <value>The default is null: no latest time.</value>
    /// <exception cref="InvalidValueException">The value is <see cref="DateTimeOffset.MinValue"/> or <see cref="DateTimeOffset.MaxValue"/>.</exception>
    public DateTimeOffset? CreatedBefore { get; init => field = Timestamps.Require(value, "created_before"); }
}
