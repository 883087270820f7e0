namespace CrawlData.Crawls;

/// <summary>A follower's pauses between two reads.</summary>
/// <param name="options">The longest pause.</param>
/// <param name="subscription">Ends a pause early when a notification arrives; may be null.</param>
/// <param name="timeProvider">Measures the pauses.</param>
internal sealed class FollowPauses(CrawlEventFollowOptions options, CrawlEventSubscription? subscription, TimeProvider timeProvider) : IDisposable
{
    private static readonly TimeSpan FirstEventPause = TimeSpan.FromMilliseconds(10);

    // Most transactions end soon, and no notification reports their end.
    private static readonly TimeSpan FirstTransactionPause = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan LongestTransactionPause = TimeSpan.FromMilliseconds(16);

    private TimeSpan eventPause;
    private TimeSpan transactionPause;

    /// <summary>Pauses until new events are likely.</summary>
    public Task ForEventsAsync(bool hadEvents, CancellationToken cancellationToken)
    {
        eventPause = Next(hadEvents ? default : eventPause, FirstEventPause, options.PollInterval);
        return subscription?.WaitAsync(eventPause, cancellationToken) ?? Task.Delay(eventPause, timeProvider, cancellationToken);
    }

    /// <summary>Pauses until the open transactions are likely to have ended for which <see cref="HighWaterMark"/> waits.</summary>
    public Task ForTransactionsAsync(bool hadEvents, CancellationToken cancellationToken)
    {
        transactionPause = Next(hadEvents ? default : transactionPause, FirstTransactionPause, LongestTransactionPause);
        return Task.Delay(transactionPause, timeProvider, cancellationToken);
    }

    public void Dispose() => subscription?.Dispose();

    private static TimeSpan Next(TimeSpan last, TimeSpan first, TimeSpan longest) =>
        last == default ? (first < longest ? first : longest) : last * 2 < longest ? last * 2 : longest;
}
