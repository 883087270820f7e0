namespace CrawlData.Storage;

/// <summary>A subscription to the notifications of a channel.</summary>
/// <param name="listener">Pulses the subscription.</param>
/// <param name="channel">The channel.</param>
/// <param name="subject">The crawl or queue that the payload must name; null for any.</param>
internal sealed class NotificationSubscription(NotificationListener listener, string channel, string? subject) : IDisposable
{
    private readonly SemaphoreSlim pulses = new(0);

    public string Channel => channel;

    public string? Subject => subject;

    /// <summary>Waits for a pulse, or for the time to pass.</summary>
    public async Task WaitAsync(TimeSpan longest, TimeProvider timeProvider, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(longest, timeProvider);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);

        // The end of the time is no error, and idle subscribers reach it several times a second.
        await pulses.WaitAsync(either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancellationToken.ThrowIfCancellationRequested();
    }

    /// <summary>Ends the wait. Several pulses before a wait count as one. The listener's lock must be held.</summary>
    public void Pulse()
    {
        if (pulses.CurrentCount == 0)
        {
            pulses.Release();
        }
    }

    public void Dispose()
    {
        listener.Unsubscribe(this);
        pulses.Dispose();
    }
}
