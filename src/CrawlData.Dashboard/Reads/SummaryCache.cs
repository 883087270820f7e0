using CrawlData.Crawls;

namespace CrawlData.Dashboard.Reads;

/// <summary>Keeps the summaries of the crawls that were looked at last. A summary is continued: events are counted once, also while the crawl runs.</summary>
internal sealed class SummaryCache
{
    private const int Capacity = 256;

    private readonly Lock gate = new();
    private readonly OrderedDictionary<Guid, CrawlEventSummary> summaries = [];

    public CrawlEventSummary? Find(Guid crawlId)
    {
        lock (gate)
        {
            return summaries.GetValueOrDefault(crawlId);
        }
    }

    public void Keep(CrawlEventSummary summary)
    {
        lock (gate)
        {
            // The newest is at the end.
            summaries.Remove(summary.CrawlId);
            summaries.Add(summary.CrawlId, summary);
            if (summaries.Count > Capacity)
            {
                summaries.RemoveAt(0);
            }
        }
    }
}
