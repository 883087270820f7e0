namespace CrawlData.Tests.Crawls;

/// <summary>The system's time, on which followers never poll: they read only when a notification arrives. Timers of 10, 20, 40 ms and so on up to 250 ms never
/// fire, because those are the pauses between polls. Pauses of 1 to 16 ms wait for open transactions.</summary>
/// <param name="shortened">Other durations, and what they take instead.</param>
internal sealed class TimeWithoutPolls(params (TimeSpan Duration, TimeSpan Instead)[] shortened) : TimeProvider
{
    private static readonly TimeSpan LongestPoll = TimeSpan.FromMilliseconds(250);

    private readonly Dictionary<TimeSpan, TimeSpan> instead = shortened.ToDictionary(pair => pair.Duration, pair => pair.Instead);

    /// <summary>The shortened durations that were started.</summary>
    public ReceivedItems<TimeSpan> Started { get; } = new();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        if (instead.TryGetValue(dueTime, out var shorter))
        {
            Started.Add(dueTime);
            return base.CreateTimer(callback, state, shorter, period);
        }

        return base.CreateTimer(callback, state, dueTime <= LongestPoll && dueTime.TotalMilliseconds % 10 == 0 ? Timeout.InfiniteTimeSpan : dueTime, period);
    }
}
