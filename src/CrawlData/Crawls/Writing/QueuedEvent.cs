using CrawlData.Storage;

namespace CrawlData.Crawls;

/// <summary>An event in a writer, from the call that wrote it until it is stored or failed.</summary>
internal sealed class QueuedEvent
{
    public required Guid CrawlId { get; init; }

    public required NewCrawlEvent Event { get; init; }

    /// <summary>The claim under which the event was written; null when it was written without one.</summary>
    public RowClaim? Claim { get; init; }

    /// <summary>Gets the event's id or the error, for a caller that awaits it; null when no caller does.</summary>
    public TaskCompletionSource<long>? Stored { get; init; }

    /// <summary>The event in the spool; null when there is no spool, or when a caller awaits the event.</summary>
    public SpooledEvent? Spooled { get; set; }

    /// <summary>Completes when the event is in the spool; null without a spool.</summary>
    public Task? Written { get; set; }

    /// <summary>The position among all calls of the writer.</summary>
    public long Sequence { get; set; }

    /// <summary>Whether the event is stored or failed. Then no flush stores it.</summary>
    public bool IsDone { get; private set; }

    public EventSize Size => new(1, Event.Payload.Utf8.Length);

    public void Complete(long id)
    {
        IsDone = true;
        Stored?.SetResult(id);
    }

    /// <summary>Notes that the event is neither stored nor kept, because it could not be written to the spool.</summary>
    public void Drop() => IsDone = true;

    public void Fail(Exception error)
    {
        IsDone = true;
        Stored?.SetException(error);
    }
}
