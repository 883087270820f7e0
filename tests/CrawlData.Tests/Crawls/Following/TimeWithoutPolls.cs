using CrawlData.Crawls;

namespace CrawlData.Tests.Crawls;

/// <summary>A clock that stands still and whose timers run, on which followers never poll: they read only when a notification arrives. Timers of
/// <see cref="PollInterval"/> never fire. So followers take that interval as an option.</summary>
/// <param name="shortened">Other durations, and what they take instead.</param>
internal sealed class TimeWithoutPolls(params (TimeSpan Duration, TimeSpan Instead)[] shortened) : TimeProvider
{
    /// <summary>A duration that no other pause takes: a retry waits for at least 10 ms, a wait for open transactions takes powers of two, and the gap between
    /// two notifications is shorter.</summary>
    public static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(9);

    /// <summary>The options of a follower that listens and never polls.</summary>
    public static readonly CrawlEventFollowOptions Listening = new() { Listen = true, PollInterval = PollInterval };

    private readonly Dictionary<TimeSpan, TimeSpan> instead = shortened.ToDictionary(pair => pair.Duration, pair => pair.Instead);

    /// <summary>The shortened durations that were started.</summary>
    public ReceivedItems<TimeSpan> Started { get; } = new();

    // Otherwise a timer for the rest of the interval would fire.
    public override long GetTimestamp() => 0;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        if (instead.TryGetValue(dueTime, out var shorter))
        {
            Started.Add(dueTime);
            return base.CreateTimer(callback, state, shorter, period);
        }

        return base.CreateTimer(callback, state, dueTime == PollInterval ? Timeout.InfiniteTimeSpan : dueTime, period);
    }
}
