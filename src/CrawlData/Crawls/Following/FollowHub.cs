using System.Threading.Channels;
using CrawlData.Storage;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CrawlData.Crawls;

/// <summary>Reads for all followers of a repository that have caught up. One statement looks for the followers of many crawls at once whether there is
/// something to read, and one read serves all followers at one position. It runs while a follower waits, and holds no events.</summary>
/// <remarks>A look only decides when a read comes. The reads decide what followers get, and each follower goes on from its own last event. So no event is lost
/// or repeated, whatever the looks and the notifications do.</remarks>
/// <param name="dataSource">The application's data source.</param>
/// <param name="reader">Reads events.</param>
/// <param name="timeProvider">Measures the pauses.</param>
/// <param name="logger">Logs when the listener connects, and its errors.</param>
internal sealed class FollowHub(NpgsqlDataSource dataSource, CrawlEventReader reader, TimeProvider timeProvider, ILogger logger)
{
    /// <summary>The most crawls of one look: it takes about 30 ms of the server's time.</summary>
    internal const int CrawlsPerLook = 5_000;

    // The subject of followers of all crawls. No crawl has this tag.
    private const string AllCrawls = "";

    // The hub's reads leave the pool's other connections to the application.
    private const int MaxReads = 8;

    // A look that hangs does not hold up the followers that it does not look for.
    private static readonly TimeSpan LongestLook = TimeSpan.FromSeconds(1);

    private readonly Lock gate = new();
    private readonly Dictionary<string, FollowSubject> subjects = [];
    private readonly Dictionary<FollowPosition, FollowGroup> waiting = [];

    // It holds one item for each read that is under way.
    private readonly Channel<bool> reads = Channel.CreateBounded<bool>(MaxReads);
    private readonly long start = timeProvider.GetTimestamp();

    // It holds one.
    private readonly Channel<bool> wakes = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    private readonly Lock listening = new();
    private NotificationSubscription? subscription;
    private int listeners;

    private bool isRunning;
    private bool isNotified;
    private TimeSpan? lastNotified;
    private TimeSpan sleepsUntil;
    private TimeSpan looksUntil;

    private TimeSpan Now => timeProvider.GetElapsedTime(start);

    /// <summary>Adds a follower, until its place is disposed.</summary>
    /// <param name="crawlId">The crawl; null for all crawls.</param>
    /// <param name="options">How the follower waits.</param>
    /// <exception cref="InvalidOperationException">The follower listens, and the data source multiplexes.</exception>
    public FollowerPlace Enter(Guid? crawlId, CrawlEventFollowOptions options)
    {
        if (options.Listen)
        {
            lock (listening)
            {
                subscription ??= NotificationListener.Subscribe(dataSource, NotificationListener.EventChannel, Notify, timeProvider, logger);
                listeners++;
            }
        }

        var tag = crawlId is { } id ? CrawlEventNotifier.ToTag(id) : AllCrawls;
        lock (gate)
        {
            if (!subjects.TryGetValue(tag, out var subject))
            {
                subjects.Add(tag, subject = new FollowSubject());
            }

            subject.Followers++;
            return new FollowerPlace(this, subject, tag, crawlId, options);
        }
    }

    /// <summary>Removes a follower.</summary>
    public void Leave(FollowerPlace place)
    {
        lock (gate)
        {
            if (--place.Subject.Followers == 0)
            {
                subjects.Remove(place.Tag);
            }
        }

        if (place.Options.Listen)
        {
            lock (listening)
            {
                if (--listeners == 0)
                {
                    subscription?.Dispose();
                    subscription = null;
                }
            }
        }
    }

    /// <summary>Counts a read of a follower that reads by itself.</summary>
    /// <returns>The notifications that came before, and whether the read is to check the sequence of ids.</returns>
    public (long Notifications, bool Checks) CountRead(FollowSubject subject)
    {
        lock (gate)
        {
            return (subject.Notifications, subject.CountRead());
        }
    }

    /// <summary>Lets a follower wait in the group at its position.</summary>
    public void Add(FollowWaiter waiter, FollowSubject subject, FollowPosition position, long notifications, HighWaterMark? mark)
    {
        lock (gate)
        {
            var now = Now;
            if (waiting.TryGetValue(position, out var group))
            {
                group.Add(waiter, now);
                group.Notifications = Math.Min(group.Notifications, notifications);
            }
            else
            {
                group = new FollowGroup(subject, position, notifications, mark);
                group.Add(waiter, now);
                group.PauseFrom(now);
                waiting.Add(position, group);
            }

            if (waiter.Options.Listen && notifications != subject.Notifications)
            {
                // A notification came while the follower was busy. If the others have just read for it, this follower is late, and reads at once.
                isNotified = true;
                group.Due = now - lastNotified < PulseSignal.Gap ? now : group.Due;
            }

            WakeFor(group);
        }
    }

    /// <summary>Removes a follower that no longer waits.</summary>
    public void Remove(FollowWaiter waiter)
    {
        FollowGroup? abandoned = null;
        lock (gate)
        {
            if (waiter.Group is { } group)
            {
                group.Remove(waiter);
                if (group.IsEmpty)
                {
                    abandoned = group;
                    if (waiting.GetValueOrDefault(group.Position) == group)
                    {
                        waiting.Remove(group.Position);
                        Wake();
                    }
                }
            }
        }

        abandoned?.Abandon();
    }

    /// <summary>Notes a notification.</summary>
    /// <param name="tags">The crawls' tags; null when all listening followers must read.</param>
    private void Notify(IReadOnlySet<string>? tags)
    {
        lock (gate)
        {
            var notified = tags is null ? subjects.Values : tags.Append(AllCrawls).Select(tag => subjects.GetValueOrDefault(tag)).OfType<FollowSubject>();
            foreach (var subject in notified)
            {
                subject.Notifications++;
                isNotified = true;
            }

            if (isNotified)
            {
                Wake();
            }
        }
    }

    private void WakeFor(FollowGroup group)
    {
        if (!isRunning)
        {
            isRunning = true;

            // Without the caller's execution context: the hub reads for other callers too.
            using (ExecutionContext.SuppressFlow())
            {
                _ = Task.Run(RunAsync);
            }
        }
        else if (isNotified || group.Due < sleepsUntil)
        {
            Wake();
        }
    }

    private void Wake() => wakes.Writer.TryWrite(true);

    private async Task RunAsync()
    {
        try
        {
            // The time that a timer reached: a clock may be a little behind its timers.
            var reached = TimeSpan.Zero;
            while (true)
            {
                List<FollowGroup> notified, polled;
                lock (gate)
                {
                    if (waiting.Count == 0)
                    {
                        isRunning = false;
                        return;
                    }

                    var now = Now > reached ? Now : reached;
                    (notified, polled) = (TakeNotified(now), TakePolled(now));
                    sleepsUntil = NextTime();
                }

                Read(notified);
                Read(polled);
                reached = await SleepAsync(sleepsUntil).ConfigureAwait(false) ? TimeSpan.Zero : sleepsUntil;
            }
        }
        catch (Exception exception)
        {
            // Only an error of the application's code, such as its time provider, comes here. The next follower that waits starts the hub again.
            List<FollowGroup> groups;
            lock (gate)
            {
                isRunning = false;
                groups = [.. waiting.Values];
            }

            groups.ForEach(group => Fail(group, exception));
        }
    }

    /// <summary>Takes the groups that a notification concerns, at most once in a gap.</summary>
    private List<FollowGroup> TakeNotified(TimeSpan now)
    {
        if (!isNotified || now - lastNotified < PulseSignal.Gap)
        {
            return [];
        }

        (isNotified, lastNotified) = (false, Now);
        return Take(group => group.IsNotified);
    }

    /// <summary>Takes the groups whose time has come, and those whose time comes soon. So the times of all groups come together.</summary>
    private List<FollowGroup> TakePolled(TimeSpan now)
    {
        var looks = looksUntil > now;
        return waiting.Values.Any(group => group.Due <= now && CanPoll(group)) ? Take(group => group.Due - (group.Pause / 2) <= now && CanPoll(group)) : [];

        bool CanPoll(FollowGroup group) => !looks || group.Position.CrawlId is null;
    }

    private List<FollowGroup> Take(Func<FollowGroup, bool> isWanted)
    {
        var taken = waiting.Values.Where(isWanted).ToList();
        foreach (var group in taken)
        {
            waiting.Remove(group.Position);
            (group.Notifications, group.Checks) = (group.Subject.Notifications, group.Subject.CountRead());
        }

        return taken;
    }

    private TimeSpan NextTime()
    {
        var next = waiting.Count == 0 ? TimeSpan.Zero
            : waiting.Values.Min(group => group.Position.CrawlId is null || group.Due > looksUntil ? group.Due : looksUntil);
        return isNotified && lastNotified + PulseSignal.Gap is { } gap && gap < next ? gap : next;
    }

    /// <summary>Waits until the hub is woken, or for the time to come.</summary>
    /// <returns>Whether it was woken.</returns>
    private async Task<bool> SleepAsync(TimeSpan until)
    {
        var now = Now;
        using var timeout = new CancellationTokenSource(until > now ? until - now : TimeSpan.Zero, timeProvider);
        var wake = wakes.Reader.WaitToReadAsync(timeout.Token).AsTask();
        await ((Task)wake).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        wakes.Reader.TryRead(out _);
        return wake.IsCompletedSuccessfully;
    }

    private void Read(List<FollowGroup> groups)
    {
        var ofCrawls = groups.Where(group => group.Position.CrawlId is not null).ToList();
        foreach (var group in ofCrawls.Count == 1 ? groups : groups.Except(ofCrawls))
        {
            _ = ReadAsync(group);
        }

        if (ofCrawls.Count > 1)
        {
            _ = LookAsync(ofCrawls);
        }
    }

    private async Task LookAsync(List<FollowGroup> groups)
    {
        try
        {
            lock (gate)
            {
                looksUntil = Now + LongestLook;
            }

            foreach (var chunk in groups.Chunk(CrawlsPerLook))
            {
                await LookAsync(chunk).ConfigureAwait(false);
            }
        }
        catch (Exception exception)
        {
            // Only an error of the application's code, such as its time provider, comes here.
            groups.ForEach(group => Fail(group, exception));
        }

        lock (gate)
        {
            looksUntil = TimeSpan.Zero;
            Wake();
        }
    }

    /// <summary>Looks which groups have a reason to read, and reads for those.</summary>
    private async Task LookAsync(FollowGroup[] groups)
    {
        if (groups is [var single])
        {
            _ = ReadAsync(single);
            return;
        }

        try
        {
            if (await reader.RetryAsync(() => LookOnceAsync(groups), CancellationToken.None).ConfigureAwait(false) is { } indexes)
            {
                Return(groups.Where((_, index) => !indexes.Contains(index)));
                foreach (var index in indexes)
                {
                    _ = ReadAsync(groups[index]);
                }

                return;
            }
        }
        catch (Exception exception) when (reader.ConcernsAll(exception))
        {
            Array.ForEach(groups, group => Fail(group, exception));
            return;
        }
        catch (NpgsqlException)
        {
            // The error of one crawl must not end the followers of the others. In the end, each group reads by itself.
        }

        var half = groups.Length / 2;
        await Task.WhenAll(LookAsync(groups[..half]), LookAsync(groups[half..])).ConfigureAwait(false);
    }

    private Task<HashSet<int>?> LookOnceAsync(FollowGroup[] groups)
    {
        if (groups.All(group => group.Abandoned.IsCancellationRequested))
        {
            throw new OperationCanceledException();
        }

        return reader.LookAsync(groups);
    }

    private async Task ReadAsync(FollowGroup group)
    {
        try
        {
            if (await (group.Mark is { } mark ? ReadAllAsync(group, mark) : ReadCrawlAsync(group)).ConfigureAwait(false) is { } page)
            {
                page = page with { Notifications = group.Notifications };
                foreach (var waiter in TakeAll(group))
                {
                    waiter.TrySetResult(page);
                }
            }
            else
            {
                Return([group]);
            }
        }
        catch (Exception exception)
        {
            Fail(group, exception);
        }
    }

    /// <summary>Reads events of the group's crawl.</summary>
    /// <returns>Null when the group must go on waiting.</returns>
    private async Task<FollowedPage?> ReadCrawlAsync(FollowGroup group)
    {
        var (crawlId, afterId, pageSize) = group.Position;
        var (page, hasEnded) = await ReadAsync(
            group, () => reader.ReadAsync(crawlId!.Value, afterId, pageSize, group.Checks, group.Abandoned)).ConfigureAwait(false);
        return page.LastId is null && !hasEnded ? null : new FollowedPage(page) { IsBehind = page.IsFull, HasEnded = hasEnded };
    }

    /// <summary>Reads events of all crawls.</summary>
    /// <inheritdoc cref="ReadCrawlAsync" path="/returns"/>
    private async Task<FollowedPage?> ReadAllAsync(FollowGroup group, HighWaterMark mark)
    {
        while (true)
        {
            var upToId = mark.Id;
            var page = await ReadAsync(
                group, () => reader.ReadAllAsync(mark, group.Position.AfterId ?? 0, group.Position.PageSize, group.Abandoned)).ConfigureAwait(false);
            if (page.LastId is not null)
            {
                return new FollowedPage(page) { IsBehind = page.IsFull || mark.Id > upToId };
            }

            if (mark.Id == upToId)
            {
                return null;
            }
        }
    }

    private Task<T> ReadAsync<T>(FollowGroup group, Func<Task<T>> read) => reader.RetryAsync(
        async () =>
        {
            await reads.Writer.WriteAsync(true, group.Abandoned).ConfigureAwait(false);
            try
            {
                return await read().ConfigureAwait(false);
            }
            finally
            {
                reads.Reader.TryRead(out _);
            }
        },
        group.Abandoned);

    /// <summary>Lets groups wait again that have nothing to read.</summary>
    private void Return(IEnumerable<FollowGroup> groups)
    {
        lock (gate)
        {
            var now = Now;
            foreach (var group in groups.Where(group => !group.IsEmpty))
            {
                var waits = group;
                if (waiting.TryGetValue(group.Position, out var other))
                {
                    group.MoveTo(other, now);
                    waits = other;
                }
                else
                {
                    group.PauseFrom(now);
                    waiting.Add(group.Position, group);
                }

                // A notification may have come during the read.
                isNotified |= waits.IsNotified;
                WakeFor(waits);
            }
        }
    }

    private void Fail(FollowGroup group, Exception exception)
    {
        foreach (var waiter in TakeAll(group))
        {
            waiter.TrySetException(exception);
        }
    }

    private IReadOnlyList<FollowWaiter> TakeAll(FollowGroup group)
    {
        lock (gate)
        {
            if (waiting.GetValueOrDefault(group.Position) == group)
            {
                waiting.Remove(group.Position);
            }

            return group.TakeAll();
        }
    }
}
