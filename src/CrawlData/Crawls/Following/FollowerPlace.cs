using CrawlData.Storage;

namespace CrawlData.Crawls;

/// <summary>A follower's place in the hub. One task uses it.</summary>
/// <param name="hub">The hub.</param>
/// <param name="subject">What the follower follows.</param>
/// <param name="tag">The subject's tag.</param>
/// <param name="crawlId">The crawl; null for all crawls.</param>
/// <param name="options">How the follower waits.</param>
internal sealed class FollowerPlace(FollowHub hub, FollowSubject subject, string tag, Guid? crawlId, CrawlEventFollowOptions options) : IDisposable
{
    public FollowSubject Subject => subject;

    public string Tag => tag;

    public CrawlEventFollowOptions Options => options;

    /// <summary>The notifications that came before the follower's last read.</summary>
    public long Notifications { get; set; }

    /// <summary>Begins a read of the follower's own.</summary>
    /// <returns>Whether the read is to check the sequence of ids.</returns>
    public bool BeginRead()
    {
        (Notifications, var checks) = hub.CountRead(subject);
        return checks;
    }

    /// <summary>Waits for the next events after one, or for the end of the run.</summary>
    /// <param name="afterId">The id of the last event that the follower has.</param>
    /// <param name="mark">The mark of a follower of all crawls, which the hub may advance meanwhile; null for one crawl.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<FollowedPage> NextAsync(long? afterId, HighWaterMark? mark, CancellationToken cancellationToken)
    {
        var waiter = new FollowWaiter(options);
        hub.Add(waiter, subject, new FollowPosition(crawlId, afterId, options.PageSize), Notifications, mark);
        using var registration = cancellationToken.UnsafeRegister(
            _ =>
            {
                hub.Remove(waiter);
                waiter.TrySetCanceled(cancellationToken);
            },
            null);
        var page = await waiter.Task.ConfigureAwait(false);
        Notifications = page.Notifications;
        return page;
    }

    public void Dispose() => hub.Leave(this);
}
