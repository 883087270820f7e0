namespace CrawlData.Crawls;

/// <summary>Keeps the events that a writer could not store and that no caller awaited, until they are taken out. It is not thread-safe.</summary>
internal sealed class UnstoredEvents(CrawlEventWriterOptions options)
{
    private readonly Dictionary<Guid, List<KeptEvent>> byCrawl = [];
    private EventSize size;

    /// <summary>Fails events: awaiting callers get the error, and the other events are kept.</summary>
    /// <returns>How many are kept.</returns>
    public int Fail(IReadOnlyCollection<QueuedEvent> entries, Exception error)
    {
        var kept = 0;
        foreach (var entry in entries)
        {
            entry.Fail(error);
            if (entry.Stored is null)
            {
                Keep(new KeptEvent(entry, error));
                kept++;
            }
        }

        return kept;
    }

    /// <summary>Takes events out, each crawl's in the order in which they were written.</summary>
    /// <param name="crawlId">The crawl; null for all.</param>
    public List<KeptEvent> Take(Guid? crawlId)
    {
        List<KeptEvent> taken = [.. Of(crawlId)];
        if (crawlId is { } crawl)
        {
            byCrawl.Remove(crawl);
        }
        else
        {
            byCrawl.Clear();
        }

        size = taken.Aggregate(size, (left, one) => left - one.Entry.Size);
        return taken;
    }

    /// <summary>Removes an event, if it is kept.</summary>
    /// <returns>Whether it was kept.</returns>
    public bool Remove(QueuedEvent entry)
    {
        if (!byCrawl.TryGetValue(entry.CrawlId, out var ofCrawl) || ofCrawl.RemoveAll(one => one.Entry == entry) == 0)
        {
            return false;
        }

        if (ofCrawl.Count == 0)
        {
            byCrawl.Remove(entry.CrawlId);
        }

        size -= entry.Size;
        return true;
    }

    /// <summary>Throws when the writer accepts no more events of a crawl. Kept events have the same bounds as the buffer.</summary>
    /// <exception cref="CrawlEventsNotStoredException">There are events of this crawl, or as many events as the buffer holds.</exception>
    public void ThrowIfRefused(Guid crawlId)
    {
        if (byCrawl.TryGetValue(crawlId, out var ofCrawl))
        {
            throw ToException(ofCrawl);
        }

        if (size.Fills(options))
        {
            throw ToException(Of(null));
        }
    }

    /// <summary>Gets the events, each crawl's in the order in which they were written.</summary>
    /// <param name="crawlId">The crawl; null for all.</param>
    public IEnumerable<KeptEvent> Of(Guid? crawlId) =>
        crawlId is { } crawl ? byCrawl.GetValueOrDefault(crawl, []) : byCrawl.Values.SelectMany(ofCrawl => ofCrawl);

    private static CrawlEventsNotStoredException ToException(IEnumerable<KeptEvent> events) => new([.. events.Select(one => one.ToPublic())]);

    private void Keep(KeptEvent one)
    {
        if (!byCrawl.TryGetValue(one.Entry.CrawlId, out var ofCrawl))
        {
            byCrawl.Add(one.Entry.CrawlId, ofCrawl = []);
        }

        var index = ofCrawl.Count;
        while (index > 0 && ofCrawl[index - 1].Entry.Sequence > one.Entry.Sequence)
        {
            index--;
        }

        ofCrawl.Insert(index, one);
        size += one.Entry.Size;
    }
}
