using Microsoft.Extensions.Logging;
using Npgsql;

namespace CrawlData.Dashboard.Live;

/// <summary>Follows a run or a session, once for all of its viewers.</summary>
/// <remarks>The follower and the viewers wait for nothing of each other: a viewer takes what is there, and a slow one finds that it has missed some.</remarks>
internal sealed partial class LiveFollower : IDisposable
{
    private const int RingBytes = 1024 * 1024;

    // The core has retried for RetryOptions.Limit already.
    private static readonly TimeSpan RetryPause = TimeSpan.FromSeconds(1);

    private readonly Guid id;
    private readonly LiveSource source;
    private readonly CancellationTokenSource stop = new();
    private readonly Lock gate = new();
    private readonly LiveRing ring = new(RingBytes);
    private TaskCompletionSource changed = NewSignal();
    private LiveEnd? end;

    public LiveFollower(Guid id, LiveSource source)
    {
        (this.id, this.source) = (id, source);
        var started = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        Started = started.Task;

        // Without the context of the first viewer: it runs for the others too.
        using (ExecutionContext.SuppressFlow())
        {
            _ = Task.Run(() => RunAsync(started, stop.Token));
        }
    }

    /// <summary>Gets a task that ends once there is something to take. Its result is whether the row exists.</summary>
    public Task<bool> Started { get; }

    /// <summary>Gets or sets the number of viewers. The lock of <see cref="LiveFollowers"/> protects it.</summary>
    public int Viewers { get; set; }

    /// <summary>Gets whether no further item comes.</summary>
    public bool IsOver
    {
        get
        {
            lock (gate)
            {
                return end is not null;
            }
        }
    }

    /// <summary>Returns what a viewer gets after an item.</summary>
    /// <returns>The frame. Why it is the last, or null. And a task that ends when there is more.</returns>
    public (LiveFrame Frame, LiveEnd? End, Task Changed) Next(long? afterId)
    {
        lock (gate)
        {
            var frame = ring.Next(afterId);
            var isAll = frame.MissedUpToId is null && frame.Items.Count == 0;
            return (frame, isAll ? end : null, changed.Task);
        }
    }

    /// <summary>Ends the follower.</summary>
    public void Dispose()
    {
        stop.Cancel();
        stop.Dispose();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async Task RunAsync(TaskCompletionSource<bool> started, CancellationToken cancellationToken)
    {
        try
        {
            if (await source.BeginAsync(id, cancellationToken).ConfigureAwait(false) is not { } start)
            {
                Change(() => end = LiveEnd.Deleted);
                started.SetResult(false);
                return;
            }

            Change(() =>
            {
                if (start.MissingUpToId is { } missing)
                {
                    ring.Skip(missing);
                }

                Add(start.Items);
            });
            started.SetResult(true);
            await FollowAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            // Of the database, of the application's redaction, or a cancellation when nobody looks any more.
            if (started.Task.IsCompleted && !cancellationToken.IsCancellationRequested)
            {
                LogFailed(source.Logger, source.Noun, id, exception);
            }

            // Before the start, each viewer's request fails with it.
            Change(() => end = LiveEnd.Failed);
            started.TrySetException(exception);
            _ = started.Task.Exception;
        }
    }

    private async Task FollowAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                await foreach (var items in source.Follow(id, ring.LastId, cancellationToken).ConfigureAwait(false))
                {
                    Change(() => Add(items));
                }

                Change(() => end = LiveEnd.Ended);
                return;
            }
            catch (RowNotFoundException)
            {
                Change(() => end = LiveEnd.Deleted);
                return;
            }
            catch (Exception exception) when (exception is NpgsqlException or TimeoutException && !cancellationToken.IsCancellationRequested)
            {
                // The viewers go on once the database answers.
                LogFollowing(source.Logger, source.Noun, id, exception);
            }

            await Task.Delay(RetryPause, source.Time, cancellationToken).ConfigureAwait(false);
        }
    }

    private void Add(IReadOnlyList<LiveItem> items)
    {
        foreach (var item in items)
        {
            ring.Add(item);
        }
    }

    private void Change(Action change)
    {
        TaskCompletionSource signal;
        lock (gate)
        {
            change();
            (signal, changed) = (changed, NewSignal());
        }

        signal.SetResult();
    }

    [LoggerMessage(
        EventId = 4,
        EventName = "DashboardFollowing",
        Level = LogLevel.Warning,
        Message = "The dashboard cannot follow {Noun} {Id} at the moment. It tries again.")]
    private static partial void LogFollowing(ILogger logger, string noun, Guid id, Exception exception);

    [LoggerMessage(EventId = 5, EventName = "DashboardFollowingFailed", Level = LogLevel.Error, Message = "The dashboard cannot follow {Noun} {Id}.")]
    private static partial void LogFailed(ILogger logger, string noun, Guid id, Exception exception);
}
