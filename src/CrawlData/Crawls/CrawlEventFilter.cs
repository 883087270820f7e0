using CrawlData.Storage;
namespace CrawlData.Crawls;

/// <summary>Which of a crawl's events to read or count; a property that is null lets all through. Events come in the order of their ids.</summary>
public sealed record CrawlEventFilter
{
    internal static readonly CrawlEventFilter All = new();

    /// <summary>Events with a greater id: to go on from one that was remembered.</summary>
    public long? AfterId { get; init; }

    /// <summary>Events up to and with this id.</summary>
    public long? UpToId { get; init; }

    /// <summary>Events of one of these types, exactly; none at all when empty.</summary>
    /// <exception cref="InvalidValueException">One of them holds U+0000 or a lone surrogate.</exception>
    public IReadOnlyCollection<string>? EventTypes { get; init => field = value?.Select(eventType => CrawledText.Require(eventType, "event_types")).ToArray(); }

    /// <summary>Events created at this instant or later.</summary>
    /// <exception cref="InvalidValueException">The value is <see cref="DateTimeOffset.MinValue"/> or <see cref="DateTimeOffset.MaxValue"/>.</exception>
    public DateTimeOffset? CreatedFrom { get; init => field = Timestamps.Require(value, "created_from"); }

    /// <summary>Events created before this instant.</summary>
    /// <exception cref="InvalidValueException">The value is <see cref="DateTimeOffset.MinValue"/> or <see cref="DateTimeOffset.MaxValue"/>.</exception>
    public DateTimeOffset? CreatedBefore { get; init => field = Timestamps.Require(value, "created_before"); }
}
