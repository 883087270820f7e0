using CrawlData.Instrumentation;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CrawlData.Crawls;

/// <summary>Gathers events of many crawls from many tasks, and appends them in bulk. Make one for a process. It is thread-safe.</summary>
/// <remarks>
/// <para><b>Order.</b> Within a crawl, events are stored in the order of the calls that wrote them, also of calls that waited for space. One flush runs at a
/// time. It stores the events of a crawl together, which makes them neighbours on disk. Events of a crawl whose run another transaction has locked wait for
/// the lock, beside the flushes of other crawls.</para>
/// <para><b>Durability.</b> An event is stored when <see cref="AppendAsync"/>, or a later flush, has returned. Until then it is in this
/// process's memory, and is lost with it. Flush before you complete the run: its followers stop when it has ended.</para>
/// <para><b>Outages.</b> A flush is retried and verified as any append, and by default without a limit (<see cref="CrawlEventWriterOptions.RetryLimit"/>).
/// While the server is away, callers that await events or flushes wait, and writes wait when the buffer is full. A token ends the wait of a flush.</para>
/// <para><b>Errors.</b> An event fails alone when its crawl does not exist, or when the server refuses it (<see cref="ServerErrors.IsRefusal"/>). A caller that
/// awaits the event gets its error. Other unstored events are kept until <see cref="TakeUnstored(Guid)"/> returns them. Until then the writer refuses events of
/// their crawls, and each flush of their crawls throws. After an outage beyond the limit, all events of the crawl that were written until then fail together.
/// So all of them can be written again in their order.</para>
/// <para><b>Several workers.</b> Workers on different crawls can share a writer: <see cref="FlushAsync(Guid, CancellationToken)"/> and
/// <see cref="TakeUnstored(Guid)"/> look at one crawl.</para>
/// </remarks>
/// <example>
/// <code>
/// await using var writer = new CrawlEventWriter(events);
/// await writer.WriteAsync(run.Id, opened);              // buffered
/// var id = await writer.AppendAsync(run.Id, clicked);   // stored
/// await writer.FlushAsync(run.Id);                      // all of the crawl's events before it are stored
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
    private readonly CrawlEventBuffer buffer;
    private readonly PiecewiseAppend pieces;
    private readonly WriterRetries retries;
    private readonly LockedCrawlAppends lockedAppends;
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
        this.options = new CrawlEventWriterOptions(options);
        this.logger = logger.Guarded();
        this.timeProvider = timeProvider ?? TimeProvider.System;
        retries = new WriterRetries(events, this.options.RetryLimit, this.timeProvider, this.logger);
        this.events = new CrawlEventRepository(events, retries.Limits);
        telemetry = events.Telemetry;
        buffer = new CrawlEventBuffer(this.options, telemetry);
        pieces = new PiecewiseAppend(buffer, retries, this.logger);
        lockedAppends = new LockedCrawlAppends(this.events, buffer, pieces, retries, this.options, this.timeProvider);

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
    /// <exception cref="CrawlEventsNotStoredException">Events that were written before could not be stored. The writer keeps them, or another caller took them
    /// during the wait. All other events that were written before are stored.</exception>
    /// <exception cref="ObjectDisposedException">The writer is disposed.</exception>
    public Task FlushAsync(CancellationToken cancellationToken = default) => WaitForFlushAsync(null, cancellationToken);

    /// <summary>Waits until all events of a crawl that were written before are stored. It ignores failures of other crawls.</summary>
    /// <param name="crawlId">The crawl.</param>
    /// <param name="cancellationToken">Ends the wait. The events stay written.</param>
    /// <exception cref="CrawlEventsNotStoredException">Events of the crawl that were written before could not be stored. The writer keeps them, or another
    /// caller took them during the wait. All other events of the crawl that were written before are stored.</exception>
    /// <exception cref="ObjectDisposedException">The writer is disposed.</exception>
    public Task FlushAsync(Guid crawlId, CancellationToken cancellationToken = default) => WaitForFlushAsync(crawlId, cancellationToken);

    /// <summary>Takes the events that could not be stored out of the writer, to be kept elsewhere or written again. From then on the writer accepts events of
    /// their crawls.</summary>
    /// <remarks>It takes the events of all crawls, also those that other callers wrote. Those callers' flushes still throw if they wait at this moment. A
    /// worker that shares the writer calls <see cref="TakeUnstored(Guid)"/> instead.</remarks>
    /// <returns>The events. The events of each crawl are in the order in which they were written. Empty when all events were stored.</returns>
    public IReadOnlyList<UnstoredCrawlEvent> TakeUnstored() => buffer.Take(null);

    /// <summary>Takes the events of a crawl that could not be stored out of the writer, to be kept elsewhere or written again. From then on the writer accepts
    /// events of the crawl.</summary>
    /// <remarks>After an outage these are all events of the crawl that were written before it was noticed, without those that a caller awaits. A flush that
    /// waits at this moment still throws.</remarks>
    /// <param name="crawlId">The crawl.</param>
    /// <returns>The events, in the order in which they were written. Empty when all events were stored.</returns>
    public IReadOnlyList<UnstoredCrawlEvent> TakeUnstored(Guid crawlId) => buffer.Take(crawlId);

    /// <summary>Refuses further events, and waits until all events that were written are stored. Calls that wait for space throw
    /// <see cref="ObjectDisposedException"/>.</summary>
    /// <remarks>During an outage it waits for <see cref="RetryOptions.Limit"/>, plus the connection's own time-outs. Then the events are not stored.</remarks>
    /// <exception cref="CrawlEventsNotStoredException">Events could not be stored. The writer keeps them, and <see cref="TakeUnstored()"/> still returns them.
    /// Or another caller took them during the wait.</exception>
    public async ValueTask DisposeAsync()
    {
        var flush = buffer.Close();
        retries.Close();
        await flushing.ConfigureAwait(false);
        retries.Dispose();
        buffer.CompleteFlushes();
        await flush.Completed.ConfigureAwait(false);
        buffer.ThrowIfFailed();
    }

    /// <inheritdoc cref="DisposeAsync"/>
    /// <remarks>For containers that dispose synchronously. It blocks the thread as long as <see cref="DisposeAsync"/> takes.</remarks>
    public void Dispose() => DisposeAsync().AsTask().GetAwaiter().GetResult();

    /// <summary>Lets retries end at once, because the host's time to stop is up. Each running append makes a last attempt.</summary>
    internal void EndRetries() => retries.End();

    private static NewCrawlEvent Require(NewCrawlEvent crawlEvent)
    {
        ArgumentNullException.ThrowIfNull(crawlEvent);
        return crawlEvent;
    }

    private Task AddAsync(QueuedEvent entry, CancellationToken cancellationToken)
    {
        try
        {
            return buffer.AddAsync(entry, cancellationToken);
        }
        catch (Exception exception)
        {
            return Task.FromException(exception);
        }
    }

    private async Task WaitForFlushAsync(Guid? crawlId, CancellationToken cancellationToken)
    {
        var flush = buffer.RequestFlush(crawlId);
        var registration = cancellationToken.UnsafeRegister(static (state, token) => ((FlushRequest)state!).Cancel(token), flush);
        await using (registration.ConfigureAwait(false))
        {
            await flush.Completed.ConfigureAwait(false);
        }
    }

    private async Task FlushAllAsync()
    {
        var batch = new FlushBatch(options);
        try
        {
            while (await buffer.WaitToReadAsync().ConfigureAwait(false))
            {
                lockedAppends.ThrowIfFailed();
                await GatherAsync(batch).ConfigureAwait(false);
                if (batch.Events.Count > 0)
                {
                    await FlushAsync(batch).ConfigureAwait(false);
                }

                buffer.Free(batch.Size);
                buffer.CompleteFlushes();
                batch.Clear();
            }
        }
        catch (Exception exception)
        {
            // For example, a TimeProvider of the application's has thrown. Nobody would flush the events that wait.
            await lockedAppends.EndAsync().ConfigureAwait(false);
            var failed = buffer.Abort(batch.Events, exception);
            Log.FlushLoopFailed(logger, failed.Count, Telemetry.ErrorType(exception));
        }
    }

    private async Task FlushAsync(FlushBatch batch)
    {
        var started = timeProvider.GetTimestamp();
        await telemetry.RunAsync("flush", batch.Events.Count, async () =>
        {
            var locked = await pieces.StoreAsync([.. batch.ByCrawl()], events.AppendAvailableAsync, batch.Events).ConfigureAwait(false);
            if (locked.Count > 0)
            {
                buffer.Lock(batch, locked, timeProvider.GetTimestamp());
                lockedAppends.Start();
            }

            return true;
        }).ConfigureAwait(false);
        Log.Flushed(logger, batch.Events.Count, timeProvider.GetElapsedTime(started));
    }

    /// <summary>Reads events into a batch. While no caller awaits one of them, it lingers for more. Otherwise it only yields once to callers that are about
    /// to write, because the last flush has just answered them.</summary>
    private async Task GatherAsync(FlushBatch batch)
    {
        using var linger = new CancellationTokenSource(options.Linger, timeProvider);
        bool more;
        do
        {
            more = buffer.Read(batch);
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
            return await buffer.WaitToReadAsync(until).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }
}
