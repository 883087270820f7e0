namespace CrawlData.Crawls;

/// <summary>One follower's way through a crawl, until the run has ended.</summary>
/// <param name="place">The follower's place, which this disposes.</param>
/// <param name="read">Reads a page after an id. The flag is whether it is the first read.</param>
/// <param name="afterId">Only events after this id; null for all.</param>
internal sealed class FollowedCrawl(FollowerPlace place, Func<long?, bool, Task<FollowedPage>> read, long? afterId) : IDisposable
{
    private bool isFirst = true;
    private bool isBehind = true;
    private bool hasEnded;

    /// <summary>Reads the next events, or waits for them.</summary>
    /// <returns>At least one event; null when the run has ended and all were returned.</returns>
    public async Task<IReadOnlyList<CrawlEvent>?> NextAsync(CancellationToken cancellationToken)
    {
        while (isBehind || !hasEnded)
        {
            var page = await (isBehind ? read(afterId, isFirst) : place.NextAsync(afterId, null, cancellationToken)).ConfigureAwait(false);
            (isFirst, isBehind, hasEnded) = (false, page.IsBehind, page.HasEnded);
            afterId = page.Page.LastId ?? afterId;
            if (page.Page.Events.Count > 0)
            {
                return page.Page.Events;
            }
        }

        return null;
    }

    public void Dispose() => place.Dispose();
}
