using Microsoft.Extensions.Time.Testing;

namespace CrawlData.Tests;

/// <summary>A clock that each pause advances at once to the pause's end. Nothing else advances it.</summary>
internal sealed class TimeThatPausesAdvance : FakeTimeProvider
{
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        if (dueTime != Timeout.InfiniteTimeSpan)
        {
            Advance(dueTime);
        }

        return System.CreateTimer(callback, state, dueTime == Timeout.InfiniteTimeSpan ? dueTime : TimeSpan.Zero, period);
    }
}
