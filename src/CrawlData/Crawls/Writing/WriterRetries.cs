using CrawlData.Instrumentation;
using CrawlData.Storage;
using Microsoft.Extensions.Logging;

namespace CrawlData.Crawls;

/// <summary>A writer's retries: how long they go on, and how long they have been going on. Without a limit they end after the writer was closed.</summary>
/// <param name="events">The repository, whose own limit applies after the writer was closed.</param>
/// <param name="limit">The limit until then.</param>
/// <param name="timeProvider">Measures the time.</param>
/// <param name="logger">Logs that events are stored again.</param>
internal sealed class WriterRetries(CrawlEventRepository events, TimeSpan limit, TimeProvider timeProvider, ILogger logger) : IDisposable
{
    private readonly CancellationTokenSource ended = new();
    private readonly Lock gate = new();
    private ITimer? timer;
    private long? since;
    private bool isClosed;
    private bool isEnded;

    /// <summary>The limits of an append.</summary>
    public RetryLimits Limits => new(limit)
    {
        ServerTimeouts = LimitAfterClose,
        Splits = true,
        Ended = ended.Token,
        OnRetry = NoteRetry,
    };

    /// <summary>How long a crawl may be locked.</summary>
    public TimeSpan LockLimit
    {
        get
        {
            lock (gate)
            {
                return isEnded ? TimeSpan.Zero : events.ToLockLimit(isClosed ? LimitAfterClose : limit);
            }
        }
    }

    /// <summary>Whether there is time for another attempt after the spool could not be written.</summary>
    public bool HasTime
    {
        get
        {
            lock (gate)
            {
                return !ended.IsCancellationRequested
                    && (limit == Timeout.InfiniteTimeSpan || since is null || timeProvider.GetElapsedTime(since.Value) < limit);
            }
        }
    }

    private TimeSpan LimitAfterClose => limit == Timeout.InfiniteTimeSpan || limit > events.RetryLimit ? events.RetryLimit : limit;

    /// <summary>Lets the retries end after the repository's limit.</summary>
    public void Close()
    {
        lock (gate)
        {
            if (isClosed)
            {
                return;
            }

            isClosed = true;
        }

        try
        {
            timer = timeProvider.CreateTimer(_ => Cancel(), null, LimitAfterClose, Timeout.InfiniteTimeSpan);
        }
        catch (Exception)
        {
            // The application's TimeProvider failed. Without a timer the retries would not end.
            Cancel();
        }
    }

    /// <summary>Lets the retries end at once.</summary>
    public void End()
    {
        lock (gate)
        {
            isEnded = true;
        }

        Cancel();
    }

    /// <summary>Frees the timer, when nothing is retried any more.</summary>
    public void Dispose()
    {
        timer?.Dispose();
        ended.Dispose();
    }

    /// <summary>Pauses before another attempt.</summary>
    public Task PauseAsync(Exception cause) => events.Retries.With(Limits).Begin().NextAsync(cause, CancellationToken.None);

    /// <summary>Notes that events were stored.</summary>
    public void NoteStored()
    {
        if (TakeElapsed() is { } elapsed)
        {
            Log.StoringAgain(logger, elapsed.TotalSeconds);
        }
    }

    /// <summary>Notes that the retries ended without success.</summary>
    public void NoteFailed() => TakeElapsed();

    private void Cancel()
    {
        try
        {
            ended.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // A timer may fire while it is disposed. Nothing is retried any more, and an exception of a timer would end the process.
        }
    }

    private void NoteRetry()
    {
        TimeSpan elapsed;
        lock (gate)
        {
            since ??= timeProvider.GetTimestamp();
            elapsed = timeProvider.GetElapsedTime(since.Value);
        }

        events.Telemetry.WriterRetries(elapsed);
    }

    private TimeSpan? TakeElapsed()
    {
        long? started;
        lock (gate)
        {
            (started, since) = (since, null);
        }

        if (started is not { } timestamp)
        {
            return null;
        }

        events.Telemetry.WriterRetries(TimeSpan.Zero);
        return timeProvider.GetElapsedTime(timestamp);
    }
}
