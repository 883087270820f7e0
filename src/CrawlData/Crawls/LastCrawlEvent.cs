namespace CrawlData.Crawls;

/// <summary>A crawl's last event without its payload, and its age: the sign of life of a run.</summary>
public sealed record LastCrawlEvent
{
    /// <summary>The event's id.</summary>
    public required long Id { get; init; }

    /// <summary>The id of the event's crawl.</summary>
    public required Guid CrawlId { get; init; }

    /// <summary>The type of the event.</summary>
    public required string EventType { get; init; }

    /// <summary>The time of the event, in UTC (offset zero), to the microsecond.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>The time from <see cref="CreatedAt"/> to the read, by the database's clock. It is negative when the event's time is in the future.</summary>
    public required TimeSpan Age { get; init; }
}
