using Microsoft.Extensions.Time.Testing;

namespace CrawlData.Tests.Crawls;

/// <summary>A clock that a test advances, and that signals when followers begin to sleep.</summary>
internal sealed class DrivenTime : FakeTimeProvider
{
    /// <summary>The timers that were started.</summary>
    public ReceivedItems<TimeSpan> Sleeps { get; } = new();

    /// <summary>Advances the clock, and waits until followers sleep again.</summary>
    public async Task TickAsync(TimeSpan time)
    {
        var before = Sleeps.Count;
        Advance(time);
        await Sleeps.UntilCountAsync(before + 1);
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
