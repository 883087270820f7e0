namespace CrawlData.Storage;

/// <summary>A subscription to the notifications of a channel.</summary>
/// <param name="listener">Pulses the subscription.</param>
/// <param name="channel">The channel.</param>
/// <param name="pulse">Gets the crawls' tags, or the queue, of a notification. It gets null when each subscriber must look. It must return at once.</param>
internal sealed class NotificationSubscription(NotificationListener listener, string channel, Action<IReadOnlySet<string>?> pulse) : IDisposable
{
    public string Channel => channel;

    public void Pulse(IReadOnlySet<string>? subjects) => pulse(subjects);

    public void Dispose() => listener.Unsubscribe(this);
}
