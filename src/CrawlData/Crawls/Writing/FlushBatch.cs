namespace CrawlData.Crawls;

/// <summary>The events that one flush stores.</summary>
internal sealed class FlushBatch(CrawlEventWriterOptions options)
{
    public List<QueuedEvent> Events { get; } = [];

    public EventSize Size { get; private set; }

    /// <summary>Whether a caller awaits one of the events, or a flush.</summary>
    public bool IsAwaited { get; set; }

    /// <summary>Whether no more events are gathered. A batch that occupies the whole buffer is full too: nothing can be written behind it.</summary>
    public bool IsFull => Events.Count >= Math.Min(options.BatchSize, options.Capacity) || Size.Bytes >= Math.Min(options.BatchBytes, options.CapacityBytes);

    public void Add(QueuedEvent entry)
    {
        IsAwaited |= entry.Stored is not null;
        Size += entry.Size;
        Events.Add(entry);
    }

    /// <summary>Gets the events of each crawl together, in their order, and the crawls in the order of their first events.</summary>
    public IEnumerable<QueuedEvent> ByCrawl() => Events.GroupBy(entry => entry.CrawlId).SelectMany(ofCrawl => ofCrawl);

    /// <summary>Removes events.</summary>
    public void Remove(IReadOnlySet<QueuedEvent> entries)
    {
        Events.RemoveAll(entries.Contains);
        Size = entries.Aggregate(Size, (left, entry) => left - entry.Size);
    }

    public void Clear()
    {
        Events.Clear();
        (Size, IsAwaited) = (default, false);
    }
}
