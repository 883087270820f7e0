using System.Runtime.ExceptionServices;
using CrawlData.Storage;
using Npgsql;
using BeforeCommit = System.Func<Npgsql.NpgsqlConnection, Npgsql.NpgsqlTransaction, CrawlData.Storage.AppendedRows, System.Threading.Tasks.Task>;

namespace CrawlData.Crawls;

/// <summary>Appends the events of crawls whose runs other transactions have locked, beside the writer's flushes. At each moment it waits for one crawl, on one
/// connection: in the server's queue for the lock, so that it gets its turn when many contend.</summary>
/// <param name="events">Appends the events.</param>
/// <param name="buffer">Has the locked crawls.</param>
/// <param name="pieces">Appends in pieces.</param>
/// <param name="retries">Limits how long a crawl may be locked.</param>
/// <param name="options">How many events an append has at most.</param>
/// <param name="timeProvider">Measures how long a crawl is locked.</param>
internal sealed class LockedCrawlAppends(
    CrawlEventRepository events,
    CrawlEventBuffer buffer,
    PiecewiseAppend pieces,
    WriterRetries retries,
    CrawlEventWriterOptions options,
    TimeProvider timeProvider)
{
    // While several crawls are locked, each wait is short. The longest is for a crawl alone, and leaves time to notice others.
    private static readonly TimeSpan ShortestWait = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(5);

    // It guards the fields below.
    private readonly Lock gate = new();
    private Task running = Task.CompletedTask;
    private bool isRunning;
    private ExceptionDispatchInfo? failure;

    /// <summary>Starts to append the events of locked crawls. It ends when there are none left. After each attempt it wakes the buffer.</summary>
    public void Start()
    {
        lock (gate)
        {
            if (!isRunning)
            {
                isRunning = true;
                running = Task.Run(RunAsync);
            }
        }
    }

    /// <summary>Throws an error that escaped, so that it ends the writer's flush loop.</summary>
    public void ThrowIfFailed()
    {
        lock (gate)
        {
            failure?.Throw();
        }
    }

    /// <summary>Waits until it has ended.</summary>
    public Task EndAsync() => running;

    private async Task RunAsync()
    {
        try
        {
            while (TryReadLocked(out var locked))
            {
                await AttemptAsync(locked).ConfigureAwait(false);
                buffer.FreeLocked(timeProvider.GetTimestamp());
                buffer.Wake();
            }
        }
        catch (Exception exception)
        {
            lock (gate)
            {
                failure = ExceptionDispatchInfo.Capture(exception);
            }

            buffer.Wake();
        }
    }

    // A crawl that is locked later finds it ended, and starts it again.
    private bool TryReadLocked(out IReadOnlyList<(LockedCrawl Crawl, QueuedEvent[] Events)> locked)
    {
        lock (gate)
        {
            locked = buffer.Locked();
            isRunning = locked.Count > 0;
            return isRunning;
        }
    }

    private async Task AttemptAsync(IReadOnlyList<(LockedCrawl Crawl, QueuedEvent[] Events)> locked)
    {
        var next = locked.MinBy(one => one.Crawl.Attempts);
        if (locked.Count > 1)
        {
            // Some of them may be available again.
            var others = locked.Where(one => one.Crawl != next.Crawl).OrderBy(one => one.Crawl.Attempts);
            await pieces.StoreAsync(Take(others), events.AppendAvailableAsync, []).ConfigureAwait(false);
        }

        await AppendAsync(next.Crawl, next.Events, alone: locked.Count == 1).ConfigureAwait(false);
        FailAtLimit(locked);
    }

    /// <summary>Waits for the lock, and appends events of the crawl.</summary>
    private async Task AppendAsync(LockedCrawl crawl, QueuedEvent[] entries, bool alone)
    {
        var elapsed = timeProvider.GetElapsedTime(crawl.Since);
        var wait = alone && elapsed > ShortestWait ? elapsed : ShortestWait;
        using var end = new CancellationTokenSource(wait < LongestWait ? wait : LongestWait, timeProvider);
        await pieces.StoreAsync(Take([(crawl, entries)]), AppendPieceAsync, []).ConfigureAwait(false);

        async Task<PartialAppend> AppendPieceAsync(RowBatch<NewCrawlEvent> piece, BeforeCommit? beforeCommit)
        {
            Guid[] ofCrawl = [crawl.CrawlId];
            try
            {
                return new PartialAppend(await events.AppendAsync(piece, beforeCommit, end.Token).ConfigureAwait(false), ofCrawl, []);
            }
            catch (OperationCanceledException) when (end.IsCancellationRequested)
            {
                return new PartialAppend([], [], []);
            }
            catch (RowNotFoundException)
            {
                return new PartialAppend([], [], ofCrawl);
            }
        }
    }

    private List<QueuedEvent> Take(IEnumerable<(LockedCrawl Crawl, QueuedEvent[] Events)> locked)
    {
        var batch = new FlushBatch(options);
        foreach (var (crawl, entries) in locked)
        {
            if (batch.IsFull)
            {
                break;
            }

            crawl.Attempts++;
            foreach (var entry in entries.TakeWhile(_ => !batch.IsFull))
            {
                batch.Add(entry);
            }
        }

        return batch.Events;
    }

    private void FailAtLimit(IReadOnlyList<(LockedCrawl Crawl, QueuedEvent[] Events)> locked)
    {
        var limit = retries.LockLimit;
        var late = locked.Where(one => !one.Events[0].IsDone && timeProvider.GetElapsedTime(one.Crawl.Since) >= limit)
            .Select(one => one.Crawl.CrawlId)
            .ToHashSet();
        if (late.Count > 0)
        {
            var longest = locked.Where(one => late.Contains(one.Crawl.CrawlId)).Max(one => timeProvider.GetElapsedTime(one.Crawl.Since));
            var error = new TimeoutException($"Another transaction has locked the run of the crawl for {longest.TotalSeconds:0} s.");
            pieces.FailCrawls(late, [], new NpgsqlException("The events could not be stored in time.", error));
        }
    }
}
