namespace CrawlData.Tests;

/// <summary>The system's time, which signals when the library pauses.</summary>
internal sealed class SignallingTime : TimeProvider
{
    private readonly TaskCompletionSource paused = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes with the first pause.</summary>
    public Task Paused => paused.Task.WaitAsync(Wait.Longest);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        paused.TrySetResult();
        return base.CreateTimer(callback, state, dueTime, period);
    }
}
