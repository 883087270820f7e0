using System.Threading.Channels;

namespace CrawlData.Storage;

/// <summary>Wakes one waiter when a pulse comes, such as a notification of the server. Every role that may connect can send notifications. So pulses wake the
/// waiter at most once in a <see cref="Gap"/>.</summary>
/// <param name="timeProvider">Measures the waits and the gap.</param>
internal sealed class PulseSignal(TimeProvider timeProvider)
{
    /// <summary>The least time between two wake-ups by pulses. One process notifies no faster, so its notifications never wait.</summary>
    public static readonly TimeSpan Gap = TimeSpan.FromMilliseconds(7);

    // It holds one pulse.
    private readonly Channel<bool> pulses = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    private long? lastPulse;

    /// <summary>Ends the wait, or the next one. Several pulses before the waiter wakes count as one. It may be called from any thread.</summary>
    public void Pulse() => pulses.Writer.TryWrite(true);

    /// <summary>Waits for a pulse, or for the time to pass. The first pulse after a gap wakes the waiter at once, and one within the gap at its end. A pulse
    /// that comes before this returns is used up, so the waiter must look for its work afterwards.</summary>
    /// <exception cref="OperationCanceledException">The wait was cancelled.</exception>
    public async Task WaitAsync(TimeSpan longest, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(longest, timeProvider);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);

        // The end of the time is no error, and an idle waiter reaches it several times a second.
        var pulse = pulses.Reader.WaitToReadAsync(either.Token).AsTask();
        await ((Task)pulse).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (pulse.IsCompletedSuccessfully)
        {
            if (lastPulse is { } last && Gap - timeProvider.GetElapsedTime(last) is { Ticks: > 0 } rest)
            {
                await Task.Delay(rest, timeProvider, either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }

            lastPulse = timeProvider.GetTimestamp();
        }

        cancellationToken.ThrowIfCancellationRequested();
        pulses.Reader.TryRead(out _);
    }
}
