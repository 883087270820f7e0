using CrawlData.Storage;
using CrawlData.Tests.Crawls;

namespace CrawlData.Tests;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class PulseSignalTests
{
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Tick = TimeSpan.FromTicks(1);

    private readonly DrivenTime time = new();
    private readonly PulseSignal signal;

    public PulseSignalTests() => signal = new PulseSignal(time);

    [Test]
    public async Task The_first_pulse_after_a_quiet_time_wakes_at_once()
    {
        var first = WaitAsync();
        signal.Pulse();
        await first;

        time.Advance(PulseSignal.Gap);
        var second = WaitAsync();
        signal.Pulse();
        await second;
    }

    [Test]
    public async Task A_pulse_within_the_gap_wakes_at_its_end()
    {
        await PulsedAsync();
        signal.Pulse();

        var waiting = WaitAsync();
        time.Advance(PulseSignal.Gap - Tick);
        Assert.That(waiting.IsCompleted, Is.False);
        time.Advance(Tick);

        await waiting;
    }

    [Test]
    public async Task Pulses_within_a_gap_wake_once()
    {
        await PulsedAsync();
        var waiting = WaitAsync();
        var timers = time.Sleeps.Count;
        for (var pulse = 0; pulse < 1_000; pulse++)
        {
            signal.Pulse();
        }

        await time.Sleeps.UntilCountAsync(timers + 1);
        time.Advance(PulseSignal.Gap);
        await waiting;
        time.Advance(PulseSignal.Gap);

        Assert.That(WaitAsync().IsCompleted, Is.False);
    }

    [Test]
    public async Task The_end_of_the_time_wakes_within_the_gap()
    {
        await PulsedAsync();
        var waiting = signal.WaitAsync(PulseSignal.Gap / 2, CancellationToken.None);
        signal.Pulse();

        time.Advance(PulseSignal.Gap / 2);

        await waiting.WaitAsync(Wait.Longest);
    }

    [Test]
    public async Task A_cancelled_wait_throws([Values] bool withinTheGap)
    {
        using var cancellation = new CancellationTokenSource();
        if (withinTheGap)
        {
            await PulsedAsync();
            signal.Pulse();
        }

        var waiting = signal.WaitAsync(Longest, cancellation.Token);
        await cancellation.CancelAsync();

        await Assert.ThatAsync(() => waiting, Throws.InstanceOf<OperationCanceledException>());
    }

    private Task WaitAsync() => signal.WaitAsync(Longest, CancellationToken.None).WaitAsync(Wait.Longest);

    private async Task PulsedAsync()
    {
        signal.Pulse();
        await WaitAsync();
    }
}
