using CrawlData.Workers;

namespace CrawlData.Tests.Workers;

/// <summary>The system's time, on which the pauses between a worker's rescues are short. They are longer than those between heartbeats.</summary>
internal sealed class RescuesAtOnce : TimeProvider
{
    private static readonly TimeSpan StaleAfter = new WorkerOptions().StaleAfter;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        base.CreateTimer(callback, state, dueTime > StaleAfter / 4 && dueTime < StaleAfter ? TimeSpan.FromMilliseconds(20) : dueTime, period);
}
