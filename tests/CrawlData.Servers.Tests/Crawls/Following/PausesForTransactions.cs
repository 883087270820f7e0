namespace CrawlData.Tests.Crawls;

/// <summary>The system's time, which counts the pauses of up to 16 ms: a follower pauses so while it waits for open transactions.</summary>
internal sealed class PausesForTransactions : TimeProvider
{
    private static readonly TimeSpan Longest = TimeSpan.FromMilliseconds(16);

    private readonly ReceivedItems<TimeSpan> pauses = new();

    public Task UntilMoreAsync(int count) => pauses.UntilCountAsync(pauses.Count + count);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        if (dueTime > TimeSpan.Zero && dueTime <= Longest)
        {
            pauses.Add(dueTime);
        }

        return base.CreateTimer(callback, state, dueTime, period);
    }
}
