namespace CrawlData.Crawls;

/// <summary>A row of <c>crawl_events</c>: one event of a crawl.</summary>
public sealed record CrawlEvent
{
    /// <summary>The event's id. Within one crawl, ids rise in the order of commits. They have gaps.</summary>
    public required long Id { get; init; }

    /// <summary>The id of the event's crawl.</summary>
    public required Guid CrawlId { get; init; }

    /// <summary>The type of the event, such as <c>page.opened</c>. The caller chooses it.</summary>
    public required string EventType { get; init; }

    /// <summary>The content of the event, as JSON.</summary>
    public required Jsonb Payload { get; init; }

    /// <summary>The time of the event, in UTC (offset zero), to the microsecond. The caller gave it, or it is the start of the transaction that stored the
    /// event.</summary>
    public required DateTimeOffset CreatedAt { get; init; }
}
