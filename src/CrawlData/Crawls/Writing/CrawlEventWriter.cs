using CrawlData.Instrumentation;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CrawlData.Crawls;

/// <summary>Gathers events of many crawls from many tasks, and appends them in bulk. Make one for a process. It is thread-safe.</summary>
/// <remarks>
/// <para><b>Order.</b> Within a crawl, events are stored in the order of the calls that wrote them, also of calls that waited for space. One flush runs at a
/// time. It stores the events of a crawl together, which makes them neighbours on disk.</para>
/// <para><b>Durability.</b> An event is stored when <see cref="AppendAsync"/>, or a later <see cref="FlushAsync"/>, has returned. Until then it is in this
/// process's memory, and is lost with it. Flush before you complete the run: its followers stop when it has ended.</para>
/// <para><b>Errors.</b> A flush is retried and verified as any append (<see cref="RetryOptions"/>). An event fails alone when its crawl does not exist, or when
/// the server refuses it. A caller that awaits the event gets its error. Other unstored events are kept until <see cref="TakeUnstored"/> returns them. Until
/// then each <see cref="FlushAsync"/> throws, and the writer refuses events of their crawls. When a crawl's events could not be stored because of an outage,
/// the events written behind them are not stored either. So all of them can be written again in their order.</para>
/// </remarks>
/// <example>
/// <code>
/// await using var writer = new CrawlEventWriter(events);
/// await writer.WriteAsync(run.Id, opened);              // buffered
/// var id = await writer.AppendAsync(run.Id, clicked);   // stored
/// await writer.FlushAsync();                            // everything before it is stored
/// await runs.CompleteAsync(run.Id);
/// </code>
/// </example>
public sealed class CrawlEventWriter : IAsyncDisposable, IDisposable
{
    private readonly CrawlEventRepository events;
    private readonly CrawlEventWriterOptions options;
    private readonly TimeProvider timeProvider;
    private readonly Telemetry telemetry;
    private readonly ILogger logger;
    private readonly CrawlEventQueue queue;
    private readonly UnstoredEvents unstored;
    private readonly Task flushing;

    /// <summary>Makes a writer.</summary>
    /// <param name="events">Appends the events.</param>
    /// <param name="options">When to flush, and how much to buffer; the defaults when null. Later changes of the object have no effect.</param>
    /// <param name="logger">Logs events that could not be stored; may be null.</param>
    /// <param name="timeProvider">Measures how long events are gathered; <see cref="TimeProvider.System"/> when null.</param>
    public CrawlEventWriter(
        CrawlEventRepository events,
        CrawlEventWriterOptions? options = null,
        ILogger<CrawlEventWriter>? logger = null,
        TimeProvider? timeProvider = null)
    {
        ArgumentNullException.ThrowIfNull(events);
        this.events = events;
        this.options = new CrawlEventWriterOptions(options);
        this.logger = logger.Guarded();
        this.timeProvider = timeProvider ?? TimeProvider.System;
        telemetry = events.Telemetry;
        queue = new CrawlEventQueue(this.options, telemetry);
        unstored = new UnstoredEvents(this.options, telemetry);

        // Without the caller's execution context, whose ambient values would live as long as the writer.
        using (ExecutionContext.SuppressFlow())
        {
            flushing = Task.Run(FlushAllAsync);
        }
    }

    /// <summary>Writes an event into the buffer. While the buffer is full, it waits.</summary>
    /// <param name="crawlId">The crawl.</param>
    /// <param name="crawlEvent">The event.</param>
    /// <param name="cancellationToken">Cancels the wait. Then the event is not written.</param>
    /// <exception cref="CrawlEventsNotStoredException">The writer keeps unstored events of this crawl, or as many as its buffer holds. This event is not
    /// written.</exception>
    /// <exception cref="ObjectDisposedException">The writer is disposed.</exception>
    public Task WriteAsync(Guid crawlId, NewCrawlEvent crawlEvent, CancellationToken cancellationToken = default) =>
        AddAsync(new QueuedEvent { CrawlId = crawlId, Event = Require(crawlEvent) }, cancellationToken);

    /// <summary>Writes an event, and waits until it is stored. It is stored together with events that other callers write at the same time, in one
    /// transaction.</summary>
    /// <param name="crawlId">The crawl.</param>
    /// <param name="crawlEvent">The event.</param>
    /// <param name="cancellationToken">Cancels until the event is in the buffer. Then it is not written, now or later. Afterwards the token has no
    /// effect.</param>
    /// <returns>The event's id.</returns>
    /// <exception cref="RowNotFoundException">There is no such crawl.</exception>
    /// <exception cref="CrawlEventsNotStoredException">The writer keeps unstored events of this crawl, or as many as its buffer holds. This event is not
    /// written.</exception>
    /// <exception cref="NpgsqlException">The event could not be stored.</exception>
    /// <exception cref="AppendOutcomeUnknownException">The connection was lost during COMMIT, and the outcome could not be verified.</exception>
    /// <exception cref="ObjectDisposedException">The writer is disposed.</exception>
    public async Task<long> AppendAsync(Guid crawlId, NewCrawlEvent crawlEvent, CancellationToken cancellationToken = default)
    {
        var stored = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
        await AddAsync(new QueuedEvent { CrawlId = crawlId, Event = Require(crawlEvent), Stored = stored }, cancellationToken).ConfigureAwait(false);
        return await stored.Task.ConfigureAwait(false);
    }

    /// <summary>Waits until all events that were written before are stored.</summary>
    /// <param name="cancellationToken">Ends the wait. The events stay written.</param>
    /// <exception cref="CrawlEventsNotStoredException">The writer keeps unstored events. All other events that were written before are stored.</exception>
    /// <exception cref="ObjectDisposedException">The writer is disposed.</exception>
    public async Task FlushAsync(CancellationToken cancellationToken = default)
    {
        var stored = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
        await AddAsync(new QueuedEvent { Stored = stored }, cancellationToken).ConfigureAwait(false);
        var registration = cancellationToken.UnsafeRegister(static (state, token) => ((TaskCompletionSource<long>)state!).TrySetCanceled(token), stored);
        await using (registration.ConfigureAwait(false))
        {
            await stored.Task.ConfigureAwait(false);
        }
    }

    /// <summary>Takes the events that could not be stored out of the writer, to be kept elsewhere or written again. From then on the writer accepts events of
    /// their crawls.</summary>
    /// <returns>The events. The events of each crawl are in the order in which they were written. Empty when all events were stored.</returns>
    public IReadOnlyList<UnstoredCrawlEvent> TakeUnstored() => unstored.Take();

    /// <summary>Refuses further events, and waits until all events that were written are stored. Calls that wait for space throw
    /// <see cref="ObjectDisposedException"/>.</summary>
    /// <exception cref="CrawlEventsNotStoredException">The writer keeps unstored events. <see cref="TakeUnstored"/> still returns them.</exception>
    public async ValueTask DisposeAsync()
    {
        queue.Close();
        await flushing.ConfigureAwait(false);
        unstored.ThrowIfAny();
    }

    /// <inheritdoc cref="DisposeAsync"/>
    /// <remarks>For containers that dispose synchronously. It blocks the thread.</remarks>
    public void Dispose() => DisposeAsync().AsTask().GetAwaiter().GetResult();

    private static NewCrawlEvent Require(NewCrawlEvent crawlEvent)
    {
        ArgumentNullException.ThrowIfNull(crawlEvent);
        return crawlEvent;
    }

    private Task AddAsync(QueuedEvent entry, CancellationToken cancellationToken)
    {
        try
        {
            queue.ThrowIfClosed();
            if (entry.Event is not null)
            {
                unstored.ThrowIfRefused(entry.CrawlId);
            }

            return queue.AddAsync(entry, cancellationToken);
        }
        catch (Exception exception)
        {
            return Task.FromException(exception);
        }
    }

    private async Task FlushAllAsync()
    {
        var batch = new FlushBatch(options);
        while (await queue.Reader.WaitToReadAsync().ConfigureAwait(false))
        {
            await GatherAsync(batch).ConfigureAwait(false);
            if (batch.Events.Count > 0)
            {
                var started = timeProvider.GetTimestamp();
                await telemetry.RunAsync("flush", batch.Events.Count, async () =>
                {
                    await StoreAsync(WithoutHeld(batch.ByCrawl())).ConfigureAwait(false);
                    return true;
                }).ConfigureAwait(false);
                Log.Flushed(logger, batch.Events.Count, timeProvider.GetElapsedTime(started));
            }

            queue.Free(batch.Size);
            CompleteFlushes(batch.Flushes);
            batch.Clear();
        }
    }

    /// <summary>Takes entries from the queue. While no caller awaits one of them, it lingers for more. Otherwise it only yields once to callers that are about
    /// to write, because the last flush has just answered them.</summary>
    private async Task GatherAsync(FlushBatch batch)
    {
        using var linger = new CancellationTokenSource(options.Linger, timeProvider);
        bool more;
        do
        {
            more = false;
            while (!batch.IsFull && queue.Reader.TryRead(out var entry))
            {
                batch.Add(entry);
                more = true;
            }

            if (batch.IsFull)
            {
                return;
            }

            if (batch.IsAwaited)
            {
                await Task.Yield();
            }
            else
            {
                more = await WaitForMoreAsync(linger.Token).ConfigureAwait(false);
            }
        }
        while (more);
    }

    private async ValueTask<bool> WaitForMoreAsync(CancellationToken until)
    {
        try
        {
            return await queue.Reader.WaitToReadAsync(until).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    /// <summary>Stores entries, and completes the calls that await them. An event that cannot be stored fails alone.</summary>
    private async Task StoreAsync(ArraySegment<QueuedEvent> entries)
    {
        if (entries.Count == 0)
        {
            return;
        }

        try
        {
            var ids = await events.AppendAsync([.. entries.Select(entry => (entry.CrawlId, entry.Event!))]).ConfigureAwait(false);
            for (var index = 0; index < ids.Count; index++)
            {
                entries[index].Stored?.SetResult(ids[index]);
            }
        }
        catch (RowNotFoundException exception) when (entries.Any(entry => !exception.Ids.Contains(entry.CrawlId)))
        {
            var unknown = exception.Ids.ToHashSet();
            Fail([.. entries.Where(entry => unknown.Contains(entry.CrawlId))], exception, hold: false);
            await StoreAsync(entries.Where(entry => !unknown.Contains(entry.CrawlId)).ToArray()).ConfigureAwait(false);
        }
        catch (Exception exception) when (entries.Count > 1 && MayConcernSome(exception, entries))
        {
            await StoreAsync(entries[..(entries.Count / 2)]).ConfigureAwait(false);
            await StoreAsync(entries[(entries.Count / 2)..]).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            // Whatever the error is, each event's caller gets it, or the event is kept.
            Fail(entries, exception, hold: !ConcernsAnEvent(exception));
        }
    }

    // Of several crawls that are all reported as unknown, some may have been created since.
    private static bool MayConcernSome(Exception exception, ArraySegment<QueuedEvent> entries) =>
        exception is RowNotFoundException ? entries[0].CrawlId != entries[^1].CrawlId : ConcernsAnEvent(exception);

    // An unknown crawl, a data exception, a violated constraint, or an exceeded limit.
    private static bool ConcernsAnEvent(Exception exception) =>
        exception is RowNotFoundException || (exception is PostgresException server && server.SqlState[..2] is "22" or "23" or "54");

    /// <summary>Fails the entries of held crawls, as the events before them failed.</summary>
    private ArraySegment<QueuedEvent> WithoutHeld(ArraySegment<QueuedEvent> entries)
    {
        var (held, free) = unstored.Split(entries);
        foreach (var (behind, error) in held)
        {
            Fail(behind, error, hold: true);
        }

        return free;
    }

    private void Fail(IReadOnlyCollection<QueuedEvent> entries, Exception error, bool hold)
    {
        Log.EventsNotStored(logger, entries.Count, entries.Select(entry => entry.CrawlId).Distinct().Count(), Telemetry.ErrorType(error));
        unstored.Fail(entries, error, hold);
    }

    private void CompleteFlushes(List<QueuedEvent> flushes)
    {
        foreach (var flush in flushes)
        {
            try
            {
                unstored.ThrowIfAny();
                flush.Stored!.TrySetResult(0);
            }
            catch (CrawlEventsNotStoredException exception)
            {
                flush.Stored!.TrySetException(exception);
            }
        }
    }
}
