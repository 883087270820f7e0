using Microsoft.Extensions.Time.Testing;

namespace CrawlData.Tests.Crawls;

/// <summary>A clock that a test advances, and that signals when followers begin to sleep.</summary>
internal sealed class DrivenTime : FakeTimeProvider
{
    /// <summary>The timers that were started.</summary>
    public ReceivedItems<TimeSpan> Sleeps { get; } = new();

    /// <summary>Advances the clock to the end of the last timer again and again, until a time has passed. Followers sleep again each time.</summary>
    /// <returns>The time that has passed.</returns>
    public async Task<TimeSpan> TickForAsync(TimeSpan time)
    {
        await Sleeps.UntilCountAsync(1);
        var started = GetUtcNow();
        while (GetUtcNow() - started < time)
        {
            var sleeps = Sleeps.ToList();
            Advance(sleeps[^1]);
            await Sleeps.UntilCountAsync(sleeps.Count + 1);
        }

        return GetUtcNow() - started;
    }

    /// <summary>Advances the clock step by step, until a task has ended.</summary>
    public async Task AdvanceUntilAsync(Task ended, TimeSpan step)
    {
        while (!ended.IsCompleted)
        {
            var before = Sleeps.Count;
            Advance(step);
            await await Task.WhenAny(ended, Sleeps.UntilCountAsync(before + 1));
        }

        await ended;
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = base.CreateTimer(callback, state, dueTime, period);
        Sleeps.Add(dueTime);
        return timer;
    }
}
