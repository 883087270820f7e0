namespace CrawlData.Storage;

/// <summary>A subscription to the notifications of a channel.</summary>
/// <param name="listener">Pulses the subscription.</param>
/// <param name="channel">The channel.</param>
/// <param name="subject">The crawl's tag, or the queue, that the payload must name; null for any.</param>
/// <param name="timeProvider">Measures the waits.</param>
internal sealed class NotificationSubscription(NotificationListener listener, string channel, string? subject, TimeProvider timeProvider) : IDisposable
{
    private readonly PulseSignal signal = new(timeProvider);

    public string Channel => channel;

    public string? Subject => subject;

    /// <inheritdoc cref="PulseSignal.WaitAsync"/>
    public Task WaitAsync(TimeSpan longest, CancellationToken cancellationToken) => signal.WaitAsync(longest, cancellationToken);

    /// <inheritdoc cref="PulseSignal.Pulse"/>
    public void Pulse() => signal.Pulse();

    public void Dispose() => listener.Unsubscribe(this);
}
