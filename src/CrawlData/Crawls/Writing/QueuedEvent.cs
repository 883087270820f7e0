namespace CrawlData.Crawls;

/// <summary>An entry of a writer's queue: an event, or a flush.</summary>
internal sealed class QueuedEvent
{
    public Guid CrawlId { get; init; }

    /// <summary>The event; null for a flush.</summary>
    public NewCrawlEvent? Event { get; init; }

    /// <summary>Gets the event's id or the error, for a caller that awaits it; null when no caller does.</summary>
    public TaskCompletionSource<long>? Stored { get; init; }

    public EventSize Size => Event is null ? default : new EventSize(1, Event.Payload.Utf8.Length);
}
