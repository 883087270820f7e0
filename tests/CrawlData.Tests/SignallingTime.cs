namespace CrawlData.Tests;

/// <summary>A clock that stands still and whose timers run. It signals when the library pauses.</summary>
internal sealed class SignallingTime : TimeProvider
{
    private readonly TaskCompletionSource paused = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes with the first pause.</summary>
    public Task Paused => paused.Task.WaitAsync(Wait.Longest);

    // So no wait of the library ends by its limit, however slow the machine is.
    public override long GetTimestamp() => 0;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        paused.TrySetResult();
        return base.CreateTimer(callback, state, dueTime, period);
    }
}
