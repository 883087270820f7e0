using Microsoft.Extensions.Time.Testing;

namespace CrawlData.Tests;

/// <summary>A clock that a test advances, and on which no pause takes time.</summary>
internal sealed class TimeWithoutPauses : FakeTimeProvider
{
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        System.CreateTimer(callback, state, dueTime == Timeout.InfiniteTimeSpan ? dueTime : TimeSpan.Zero, period);
}
