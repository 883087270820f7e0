namespace CrawlData.Crawls;

/// <summary>An event that could not be stored, and that no caller awaited.</summary>
/// <param name="Entry">The event.</param>
/// <param name="Error">The reason.</param>
internal readonly record struct KeptEvent(QueuedEvent Entry, Exception Error)
{
    public UnstoredCrawlEvent ToPublic() => new() { CrawlId = Entry.CrawlId, Event = Entry.Event, Error = Error };
}
