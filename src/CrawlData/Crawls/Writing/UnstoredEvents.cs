using CrawlData.Instrumentation;

namespace CrawlData.Crawls;

/// <summary>Keeps the events that a writer could not store and that no caller awaited, until they are taken out.</summary>
/// <remarks>A crawl is held when its events could not be stored because of an outage. Its later events are not stored either, so that all of them can be
/// written again in their order.</remarks>
internal sealed class UnstoredEvents(CrawlEventWriterOptions options, Telemetry telemetry)
{
    // It guards the fields below.
    private readonly Lock gate = new();
    private readonly Dictionary<Guid, List<UnstoredCrawlEvent>> byCrawl = [];
    private readonly HashSet<Guid> held = [];
    private EventSize size;

    /// <summary>Fails entries: awaiting callers get the error, and the other events are kept.</summary>
    /// <param name="entries">The entries.</param>
    /// <param name="error">The reason.</param>
    /// <param name="hold">Whether to hold the crawls of the events that are kept.</param>
    public void Fail(IReadOnlyCollection<QueuedEvent> entries, Exception error, bool hold)
    {
        lock (gate)
        {
            foreach (var entry in entries)
            {
                if (entry.Stored is { } stored)
                {
                    stored.SetException(error);
                    continue;
                }

                if (!byCrawl.TryGetValue(entry.CrawlId, out var ofCrawl))
                {
                    byCrawl.Add(entry.CrawlId, ofCrawl = []);
                }

                ofCrawl.Add(new UnstoredCrawlEvent { CrawlId = entry.CrawlId, Event = entry.Event!, Error = error });
                size += entry.Size;
                telemetry.Unstored(1);
                if (hold)
                {
                    held.Add(entry.CrawlId);
                }
            }
        }
    }

    /// <summary>Splits off the entries of held crawls.</summary>
    /// <returns>For each held crawl its entries, and the error that it is held for; and the other entries.</returns>
    public (IReadOnlyList<(QueuedEvent[] Entries, Exception Error)> Held, ArraySegment<QueuedEvent> Free) Split(ArraySegment<QueuedEvent> entries)
    {
        lock (gate)
        {
            if (held.Count == 0)
            {
                return ([], entries);
            }

            var behind = entries.Where(entry => held.Contains(entry.CrawlId)).GroupBy(entry => entry.CrawlId);
            return (
                [.. behind.Select(ofCrawl => (ofCrawl.ToArray(), byCrawl[ofCrawl.Key][0].Error))],
                entries.Where(entry => !held.Contains(entry.CrawlId)).ToArray());
        }
    }

    /// <summary>Takes all events out. From then on no crawl is held.</summary>
    public IReadOnlyList<UnstoredCrawlEvent> Take()
    {
        lock (gate)
        {
            var taken = All();
            telemetry.Unstored(-taken.Count);
            byCrawl.Clear();
            held.Clear();
            size = default;
            return taken;
        }
    }

    /// <exception cref="CrawlEventsNotStoredException">There are events.</exception>
    public void ThrowIfAny()
    {
        lock (gate)
        {
            if (byCrawl.Count > 0)
            {
                throw new CrawlEventsNotStoredException(All());
            }
        }
    }

    /// <summary>Throws when the writer accepts no more events of a crawl. Kept events have the same bounds as the queue.</summary>
    /// <exception cref="CrawlEventsNotStoredException">There are events of this crawl, or as many events as the buffer holds.</exception>
    public void ThrowIfRefused(Guid crawlId)
    {
        lock (gate)
        {
            if (byCrawl.TryGetValue(crawlId, out var ofCrawl))
            {
                throw new CrawlEventsNotStoredException([.. ofCrawl]);
            }

            if (size.Fills(options))
            {
                throw new CrawlEventsNotStoredException(All());
            }
        }
    }

    private List<UnstoredCrawlEvent> All() => [.. byCrawl.Values.SelectMany(ofCrawl => ofCrawl)];
}
