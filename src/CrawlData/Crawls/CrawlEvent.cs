namespace CrawlData.Crawls;

/// <summary>A row of <c>crawl_events</c>: something that happened in a crawl.</summary>
public sealed record CrawlEvent
{
    /// <summary>The event's id. Within one crawl ids rise in the order in which events were committed; they have gaps.</summary>
    public required long Id { get; init; }

    /// <summary>The run that it belongs to.</summary>
    public required Guid CrawlId { get; init; }

    /// <summary>What kind of event it is.</summary>
    public required string EventType { get; init; }

    /// <summary>What happened.</summary>
    public required Jsonb Payload { get; init; }

    /// <summary>When it happened or was stored: UTC (offset zero), in microseconds.</summary>
    public required DateTimeOffset CreatedAt { get; init; }
}
