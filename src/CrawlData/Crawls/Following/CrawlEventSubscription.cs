using CrawlData.Storage;

namespace CrawlData.Crawls;

/// <summary>A follower's subscription to the notifications of a crawl, or of all crawls.</summary>
/// <param name="listener">Pulses the subscription.</param>
/// <param name="crawlId">The crawl; null for all.</param>
/// <param name="timeProvider">Measures the waits.</param>
internal sealed class CrawlEventSubscription(CrawlEventListener listener, Guid? crawlId, TimeProvider timeProvider) : IDisposable
{
    private readonly PulseSignal signal = new(timeProvider);
    private readonly string? tag = crawlId is { } id ? CrawlEventNotifier.ToTag(id) : null;

    /// <summary>Whether a notification with these tags is for the subscription.</summary>
    public bool IsFor(HashSet<string> tags) => tag is null || tags.Contains(tag);

    /// <inheritdoc cref="PulseSignal.WaitAsync"/>
    public Task WaitAsync(TimeSpan longest, CancellationToken cancellationToken) => signal.WaitAsync(longest, cancellationToken);

    /// <inheritdoc cref="PulseSignal.Pulse"/>
    public void Pulse() => signal.Pulse();

    public void Dispose() => listener.Unsubscribe(this);
}
