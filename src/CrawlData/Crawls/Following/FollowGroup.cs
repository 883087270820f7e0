using CrawlData.Storage;

namespace CrawlData.Crawls;

/// <summary>The followers that wait at one position. One read serves all of them. The hub's lock protects it.</summary>
internal sealed class FollowGroup
{
    private readonly HashSet<FollowWaiter> waiters = [];
    private readonly Action abandon;
    private GrowingPause eventPause = GrowingPause.ForRows;
    private GrowingPause transactionPause = GrowingPause.ForTransactions;

    /// <summary>Makes a group.</summary>
    /// <param name="subject">What the followers follow.</param>
    /// <param name="position">Where they wait.</param>
    /// <param name="notifications">The notifications that came before their last read.</param>
    /// <param name="mark">The mark of followers of all crawls; null for followers of one crawl.</param>
    public FollowGroup(FollowSubject subject, FollowPosition position, long notifications, HighWaterMark? mark)
    {
        (Subject, Position, Notifications, Mark) = (subject, position, notifications, mark);
        var source = new CancellationTokenSource();
        (abandon, Abandoned) = (source.Cancel, source.Token);
    }

    public FollowSubject Subject { get; }

    public FollowPosition Position { get; }

    /// <summary>The mark that the group's reads advance; null for one crawl.</summary>
    public HighWaterMark? Mark { get; }

    /// <summary>The notifications that came before the last read.</summary>
    public long Notifications { get; set; }

    /// <summary>Whether the next read checks the sequence of ids.</summary>
    public bool Checks { get; set; }

    /// <summary>The pause before the next read.</summary>
    public TimeSpan Pause { get; private set; }

    /// <summary>The time of the next read.</summary>
    public TimeSpan Due { get; set; }

    /// <summary>Whether a notification that came after the last read makes the group read.</summary>
    public bool IsNotified => Notifications != Subject.Notifications && waiters.Any(waiter => waiter.Options.Listen);

    /// <summary>Whether no follower is left.</summary>
    public bool IsEmpty => waiters.Count == 0;

    /// <summary>Cancelled when all followers have left. It can be read without the lock.</summary>
    public CancellationToken Abandoned { get; }

    /// <summary>Adds a follower. It reads within its own interval.</summary>
    public void Add(FollowWaiter waiter, TimeSpan now)
    {
        waiters.Add(waiter);
        waiter.Group = this;
        if (Due > now + waiter.Options.PollInterval)
        {
            (Pause, Due) = (waiter.Options.PollInterval, now + waiter.Options.PollInterval);
        }
    }

    /// <summary>Moves all followers to another group at the position.</summary>
    public void MoveTo(FollowGroup other, TimeSpan now)
    {
        foreach (var waiter in waiters)
        {
            other.Add(waiter, now);
        }

        other.Notifications = Math.Min(other.Notifications, Notifications);
        waiters.Clear();
    }

    /// <summary>Removes a follower that leaves.</summary>
    public void Remove(FollowWaiter waiter) => waiters.Remove(waiter);

    /// <summary>Cancels the group's read. It is called without the lock, because a cancellation may take long.</summary>
    public void Abandon() => abandon();

    /// <summary>Takes all followers out of the group.</summary>
    public IReadOnlyList<FollowWaiter> TakeAll()
    {
        FollowWaiter[] taken = [.. waiters];
        waiters.Clear();
        return taken;
    }

    /// <summary>Sets the next read after a pause that grows, up to the shortest interval of the followers.</summary>
    public void PauseFrom(TimeSpan now)
    {
        Pause = Mark?.IsHeldBack is true ? transactionPause.Next(GrowingPause.LongestForTransactions)
            : eventPause.Next(waiters.Min(waiter => waiter.Options.PollInterval));
        Due = now + Pause;
    }
}
