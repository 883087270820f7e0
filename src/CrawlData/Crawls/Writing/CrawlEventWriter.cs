using CrawlData.Instrumentation;
using CrawlData.Storage;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CrawlData.Crawls;

/// <summary>Gathers events of many crawls from many tasks, and appends them in bulk. Make one for a process. It is thread-safe.</summary>
/// <remarks>
/// <para><b>Order.</b> Within a crawl, events are stored in the order of the calls that wrote them, also of calls that waited for space. One flush runs at a
/// time. It stores the events of a crawl together, which makes them neighbours on disk. Events of a crawl whose run another transaction has locked wait for
/// the lock, beside the flushes of other crawls.</para>
/// <para><b>Durability.</b> An event is stored when <see cref="AppendAsync(Guid, NewCrawlEvent, CancellationToken)"/>, or a later flush, has returned. Until
/// then it is in this process's memory, and is lost with it. Flush before you complete the run: its followers stop when it has ended.</para>
/// <para><b>Outages.</b> A flush is retried and verified as any append, and by default without a limit (<see cref="CrawlEventWriterOptions.RetryLimit"/>).
/// While the server is away, callers that await events or flushes wait, and writes wait when the buffer is full. A token ends the wait of a flush.</para>
/// <para><b>Claims.</b> An event that is written with a claim is stored only while the claim is not lost. Otherwise the events of that claim fail, and no
/// others.</para>
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
    private readonly Spool? spool;
    private readonly LockedCrawlAppends lockedAppends;
    private readonly Task flushing;

    /// <summary>Makes a writer.</summary>
    /// <param name="events">Appends the events.</param>
    /// <param name="options">When to flush, and how much to buffer; the defaults when null. Later changes of the object have no effect.</param>
    /// <param name="logger">Logs events that could not be stored; may be null.</param>
    /// <param name="timeProvider">Measures how long events are gathered; <see cref="TimeProvider.System"/> when null.</param>
    /// <exception cref="SpoolInUseException">Another writer has the <see cref="CrawlEventWriterOptions.SpoolDirectory"/>.</exception>
    /// <exception cref="SpoolDamagedException">A file of the spool is damaged before its end, or missing.</exception>
    /// <exception cref="IOException">The folder of the spool cannot be made or read.</exception>
    /// <exception cref="UnauthorizedAccessException">The process may not make, read or write the folder of the spool.</exception>
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
        spool = this.options.SpoolDirectory is { } directory ? new Spool(directory, this.options.CreateSpoolFile) : null;
        buffer = new CrawlEventBuffer(this.options, telemetry, spool);
        pieces = new PiecewiseAppend(buffer, retries, spool, this.logger);
        lockedAppends = new LockedCrawlAppends(this.events, buffer, pieces, retries, this.options, this.timeProvider);

        var spooled = buffer.AddSpooled();

        // Without the caller's execution context, whose ambient values would live as long as the writer.
        using (ExecutionContext.SuppressFlow())
        {
            flushing = Task.Run(() => FlushAllAsync(spooled));
        }
    }

    /// <summary>Gets the number of events that were written, and for which it is not known yet whether they are stored. Events that wait for space and for a
    /// lock are included. Events that <see cref="TakeUnstored()"/> would return are not.</summary>
    public int PendingCount => buffer.PendingCount;

    /// <summary>Writes an event into the buffer, and with <see cref="CrawlEventWriterOptions.SpoolDirectory"/> to the disk. While the buffer is full, it
    /// waits.</summary>
    /// <param name="crawlId">The crawl.</param>
    /// <param name="crawlEvent">The event.</param>
    /// <param name="cancellationToken">Cancels the wait. Then the event is not written.</param>
    /// <exception cref="CrawlEventsNotStoredException">The writer keeps unstored events of this crawl, or as many as its buffer holds. This event is not
    /// written.</exception>
    /// <exception cref="SpoolWriteException">The event could not be written to the spool. This event is not written.</exception>
    /// <exception cref="ObjectDisposedException">The writer is disposed.</exception>
    public Task WriteAsync(Guid crawlId, NewCrawlEvent crawlEvent, CancellationToken cancellationToken = default) =>
        WriteAsync(crawlId, null, crawlEvent, cancellationToken);

    /// <summary>Writes an event of a claimed run into the buffer, and with <see cref="CrawlEventWriterOptions.SpoolDirectory"/> to the disk. While the buffer
    /// is full, it waits.</summary>
    /// <remarks>The event is not stored when the claim is lost by then. The next flush throws, and <see cref="TakeUnstored(Guid)"/> returns the event with a
    /// <see cref="ClaimLostException"/>. A later writer stores an event that it finds in the spool also when the run has ended meanwhile: it was acknowledged
    /// before. It does not when the run was released or claimed again.</remarks>
    /// <param name="claim">The claim.</param>
    /// <param name="crawlEvent">The event.</param>
    /// <param name="cancellationToken">Cancels the wait. Then the event is not written.</param>
    /// <exception cref="CrawlEventsNotStoredException">The writer keeps unstored events of this crawl, or as many as its buffer holds. This event is not
    /// written.</exception>
    /// <exception cref="SpoolWriteException">The event could not be written to the spool. This event is not written.</exception>
    /// <exception cref="ObjectDisposedException">The writer is disposed.</exception>
    public Task WriteAsync(CrawlRunClaim claim, NewCrawlEvent crawlEvent, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(claim);
        return WriteAsync(claim.Run.Id, claim.ToRowClaim(), crawlEvent, cancellationToken);
    }

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
    public Task<long> AppendAsync(Guid crawlId, NewCrawlEvent crawlEvent, CancellationToken cancellationToken = default) =>
        AppendAsync(crawlId, null, crawlEvent, cancellationToken);

    /// <summary>Writes an event of a claimed run, and waits until it is stored. It is stored together with events that other callers write at the same time, in
    /// one transaction.</summary>
    /// <param name="claim">The claim.</param>
    /// <param name="crawlEvent">The event.</param>
    /// <param name="cancellationToken">Cancels until the event is in the buffer. Then it is not written, now or later. Afterwards the token has no
    /// effect.</param>
    /// <returns>The event's id.</returns>
    /// <exception cref="ClaimLostException">The claim is lost.</exception>
    /// <exception cref="RowNotFoundException">The run was deleted.</exception>
    /// <exception cref="CrawlEventsNotStoredException">The writer keeps unstored events of this crawl, or as many as its buffer holds. This event is not
    /// written.</exception>
    /// <exception cref="NpgsqlException">The event could not be stored.</exception>
    /// <exception cref="AppendOutcomeUnknownException">The connection was lost during COMMIT, and the outcome could not be verified.</exception>
    /// <exception cref="ObjectDisposedException">The writer is disposed.</exception>
    public Task<long> AppendAsync(CrawlRunClaim claim, NewCrawlEvent crawlEvent, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(claim);
        return AppendAsync(claim.Run.Id, claim.ToRowClaim(), crawlEvent, cancellationToken);
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
    /// <remarks>During an outage it waits for <see cref="RetryOptions.Limit"/>, plus the connection's own time-outs. Then the events are not stored. With
    /// <see cref="CrawlEventWriterOptions.SpoolDirectory"/> they stay in the spool. This is logged and not thrown, and <see cref="TakeUnstored()"/> no longer
    /// returns them.</remarks>
    /// <exception cref="CrawlEventsNotStoredException">Events could not be stored. The writer keeps them, and <see cref="TakeUnstored()"/> still returns them.
    /// Or another caller took them during the wait.</exception>
    public async ValueTask DisposeAsync()
    {
        var flush = buffer.Close();
        retries.Close();
        await flushing.ConfigureAwait(false);
        retries.Dispose();
        buffer.CompleteFlushes();
        if (spool is null)
        {
            await flush.Completed.ConfigureAwait(false);
        }
        else
        {
            // What is not stored stays in the spool, so it is no error.
            await flush.Completed.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await CloseSpoolAsync(spool).ConfigureAwait(false);
        }

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

    private Task WriteAsync(Guid crawlId, RowClaim? claim, NewCrawlEvent crawlEvent, CancellationToken cancellationToken)
    {
        var entry = new QueuedEvent { CrawlId = crawlId, Claim = claim, Event = Require(crawlEvent) };
        var added = AddAsync(entry, cancellationToken);
        return spool is null ? added : SpoolAsync(entry, added);
    }

    private async Task<long> AppendAsync(Guid crawlId, RowClaim? claim, NewCrawlEvent crawlEvent, CancellationToken cancellationToken)
    {
        var stored = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
        await AddAsync(new QueuedEvent { CrawlId = crawlId, Claim = claim, Event = Require(crawlEvent), Stored = stored }, cancellationToken)
            .ConfigureAwait(false);
        return await stored.Task.ConfigureAwait(false);
    }

    private Task AddAsync(QueuedEvent entry, CancellationToken cancellationToken)
    {
        try
        {
            Connections.ThrowIfAmbient(null);
            return buffer.AddAsync(entry, cancellationToken);
        }
        catch (Exception exception)
        {
            return Task.FromException(exception);
        }
    }

    private static async Task SpoolAsync(QueuedEvent entry, Task added)
    {
        await added.ConfigureAwait(false);
        await entry.Written!.ConfigureAwait(false);
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

    private async Task FlushAllAsync(IReadOnlyList<QueuedEvent> spooled)
    {
        var batch = new FlushBatch(options);
        try
        {
            await VerifyAsync(spooled).ConfigureAwait(false);
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

    /// <summary>Verifies the batches of an earlier process whose outcome is not in the spool.</summary>
    /// <param name="entries">The events that were in the spool.</param>
    private async Task VerifyAsync(IReadOnlyList<QueuedEvent> entries)
    {
        if (spool is null || entries.Count == 0)
        {
            return;
        }

        Log.ReplayingSpool(logger, entries.Count, spool.Directory);
        var bySpooled = entries.ToDictionary(entry => entry.Spooled!);
        foreach (var batch in spool.Batches)
        {
            var outcome = await events.VerifyAsync(batch.ToRows(), batch.Cluster).ConfigureAwait(false);
            Log.SpooledBatchVerified(logger, batch.Events.Count, outcome.ToString());
            var ofBatch = batch.Events.Select(one => bySpooled[one]).ToList();
            switch (outcome)
            {
                case CommitOutcome.Committed:
                    foreach (var (entry, id) in ofBatch.Zip(batch.RowIds))
                    {
                        entry.Complete(id);
                    }

                    spool.WriteStored(batch);
                    break;
                case CommitOutcome.RolledBack:
                    spool.WriteRolledBack(batch);
                    break;
                default:
                    var error = new AppendOutcomeUnknownException(
                        CrawlEventStatements.EventsTable,
                        ofBatch[0].CrawlId,
                        batch.RowIds,
                        "an earlier process sent its COMMIT, and the outcome could not be verified",
                        innerException: null);
                    pieces.Fail(ofBatch, error);

                    // Later events of these crawls wait for a decision about the earlier ones.
                    var unknown = ofBatch.ConvertAll(entry => new KeptEvent(entry, error).ToPublic());
                    pieces.FailCrawls(ofBatch.Select(entry => entry.CrawlId).ToHashSet(), [], new CrawlEventsNotStoredException(unknown));
                    break;
            }
        }
    }

    /// <summary>Frees the spool's folder. Events that are not stored stay in it, for the next writer.</summary>
    private async Task CloseSpoolAsync(Spool opened)
    {
        var left = buffer.LeaveInSpool();
        await opened.DisposeAsync().ConfigureAwait(false);
        if (left > 0)
        {
            Log.EventsLeftInSpool(logger, left, opened.Directory);
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
