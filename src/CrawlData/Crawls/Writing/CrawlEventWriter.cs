using System.Diagnostics;
using System.Threading.Channels;
using CrawlData.Diagnostics;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CrawlData.Crawls;

/// <summary>Gathers events of any number of crawls from any number of tasks, and appends them in bulk. One for a process, for as long as it runs; safe for use by
/// many tasks at once.</summary>
/// <remarks>
/// <para><b>Order.</b> Within a crawl events are stored in the order of the calls that wrote them, also of calls that wait for room. One flush is under way at a time; in
/// it the events of a crawl are kept together, which makes them neighbours on disk.</para>
/// <para><b>What is stored.</b> An event is stored when <see cref="AppendAsync"/>, or a later <see cref="FlushAsync"/>, has returned. Until then it is in this
/// process's memory and is lost with it. Flush before the run is completed: who follows a crawl stops when its run has ended.</para>
/// <para><b>Errors.</b> A flush is tried again, and settled, as any append (<see cref="RetryOptions"/>). What cannot be stored fails alone: the events of a crawl
/// that does not exist, or an event that the server refuses. Whoever waits for such an event gets its error. Those that nobody waits for are kept: until <see
/// cref="TakeUnstored"/> has handed them out, every <see cref="FlushAsync"/> throws, and the writer takes no more for their crawls. When a crawl's events could not be
/// stored at all, as in a long outage, those that were written behind them are not stored either, so that all of them can be written again in their order.</para>
/// </remarks>
public sealed class CrawlEventWriter : IAsyncDisposable, IDisposable
{
    private readonly CrawlEventRepository events;
    private readonly CrawlEventWriterOptions options;
    private readonly Telemetry telemetry;
    private readonly ILogger logger;
    private readonly Channel<Entry> buffer = Channel.CreateUnbounded<Entry>(new UnboundedChannelOptions { SingleReader = true });
    private readonly Task flushing;

    // What follows is under this lock: who waits for room, what has it, and what could not be stored.
    private readonly Lock gate = new();
    private readonly LinkedList<(Entry Entry, TaskCompletionSource Admitted)> waiting = [];
    private readonly Dictionary<Guid, List<UnstoredCrawlEvent>> unstored = [];
    private readonly HashSet<Guid> held = [];
    private Size buffered;
    private Size unstoredSize;
    private bool disposed;

    /// <summary>Makes a writer.</summary>
    /// <param name="events">Appends what is flushed.</param>
    /// <param name="options">When to flush, and how much to hold, as they are now; the defaults when null.</param>
    /// <param name="logger">Told of events that could not be stored; may be null.</param>
    public CrawlEventWriter(CrawlEventRepository events, CrawlEventWriterOptions? options = null, ILogger<CrawlEventWriter>? logger = null)
    {
        ArgumentNullException.ThrowIfNull(events);
        this.events = events;
        telemetry = events.Telemetry;
        this.logger = logger.Guarded();
        this.options = new CrawlEventWriterOptions(options);

        // Not in the context of whoever made the writer, nor with its ambient values, for as long as it lives.
        using (ExecutionContext.SuppressFlow())
        {
            flushing = Task.Run(FlushAllAsync);
        }
    }

    /// <summary>Writes an event into the buffer. When the buffer is full, because the database is slower than those who write, it waits.</summary>
    /// <param name="crawlId">The crawl.</param>
    /// <param name="crawlEvent">The event.</param>
    /// <param name="cancellationToken">Cancels the wait: then the event is not written.</param>
    /// <exception cref="CrawlEventsNotStoredException">Events of this crawl could not be stored, or as many events as the buffer holds, and nobody has taken them. This
    /// event is not written.</exception>
    /// <exception cref="ObjectDisposedException">The writer is disposed.</exception>
    public Task WriteAsync(Guid crawlId, NewCrawlEvent crawlEvent, CancellationToken cancellationToken = default) =>
        AdmitAsync(new Entry { CrawlId = crawlId, Event = Require(crawlEvent) }, cancellationToken);

    /// <summary>Writes an event, and waits until it is stored: with those of others who write at the same time, in one transaction.</summary>
    /// <returns>Its id.</returns>
    /// <param name="crawlId">The crawl.</param>
    /// <param name="crawlEvent">The event.</param>
    /// <param name="cancellationToken">Cancels until the event is in the buffer: then it is not written, now or later. From there on it is waited for.</param>
    /// <exception cref="RowNotFoundException">There is no such crawl.</exception>
    /// <exception cref="CrawlEventsNotStoredException">Events of this crawl could not be stored, or as many events as the buffer holds, and nobody has taken them. This
    /// event is not written.</exception>
    /// <exception cref="NpgsqlException">It could not be stored.</exception>
    /// <exception cref="AppendOutcomeUnknownException">It is not known whether it is stored.</exception>
    /// <exception cref="ObjectDisposedException">The writer is disposed.</exception>
    public async Task<long> AppendAsync(Guid crawlId, NewCrawlEvent crawlEvent, CancellationToken cancellationToken = default)
    {
        var stored = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
        await AdmitAsync(new Entry { CrawlId = crawlId, Event = Require(crawlEvent), Stored = stored }, cancellationToken).ConfigureAwait(false);
        return await stored.Task.ConfigureAwait(false);
    }

    /// <summary>Waits until everything that was written before is stored.</summary>
    /// <param name="cancellationToken">Ends the wait; the events stay written.</param>
    /// <exception cref="CrawlEventsNotStoredException">Events could not be stored, and nobody has taken them; all others that were written before are
    /// stored.</exception>
    /// <exception cref="ObjectDisposedException">The writer is disposed.</exception>
    public async Task FlushAsync(CancellationToken cancellationToken = default)
    {
        var stored = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
        await AdmitAsync(new Entry { Stored = stored }, cancellationToken).ConfigureAwait(false);
        var registration = cancellationToken.UnsafeRegister(static (state, token) => ((TaskCompletionSource<long>)state!).TrySetCanceled(token), stored);
        await using (registration.ConfigureAwait(false))
        {
            await stored.Task.ConfigureAwait(false);
        }
    }

    /// <summary>Takes the events that could not be stored, to be kept elsewhere or written again; from then on the writer takes events of their crawls.</summary>
    /// <returns>The events, those of each crawl in the order in which they were written; none when there are none.</returns>
    public IReadOnlyList<UnstoredCrawlEvent> TakeUnstored()
    {
        lock (gate)
        {
            var taken = AllUnstored();
            telemetry.Unstored(-taken.Count);
            unstored.Clear();
            held.Clear();
            unstoredSize = default;
            return taken;
        }
    }

    /// <summary>Takes no more, and waits until everything that was written is stored; who waits for room gets <see cref="ObjectDisposedException"/>.</summary>
    /// <exception cref="CrawlEventsNotStoredException">Events could not be stored, and nobody has taken them; <see cref="TakeUnstored"/> still does.</exception>
    public async ValueTask DisposeAsync()
    {
        lock (gate)
        {
            disposed = true;
            foreach (var (_, admitted) in waiting)
            {
                admitted.TrySetException(new ObjectDisposedException(nameof(CrawlEventWriter)));
            }

            waiting.Clear();
            buffer.Writer.TryComplete();
        }

        await flushing.ConfigureAwait(false);
        ThrowIfUnstored();
    }

    /// <inheritdoc cref="DisposeAsync"/>
    /// <remarks>For containers that dispose synchronously; it blocks the thread.</remarks>
    public void Dispose() => DisposeAsync().AsTask().GetAwaiter().GetResult();

    private static NewCrawlEvent Require(NewCrawlEvent crawlEvent)
    {
        ArgumentNullException.ThrowIfNull(crawlEvent);
        return crawlEvent;
    }

    /// <summary>Lets an entry into the buffer, in the order of the calls.</summary>
    private Task AdmitAsync(Entry entry, CancellationToken cancellationToken)
    {
        try
        {
            LinkedListNode<(Entry, TaskCompletionSource Admitted)> node;
            lock (gate)
            {
                ObjectDisposedException.ThrowIf(disposed, this);
                if (entry.Event is not null)
                {
                    ThrowIfUnstored(entry.CrawlId);
                }

                cancellationToken.ThrowIfCancellationRequested();

                if (waiting.Count == 0 && HasRoom())
                {
                    Admit(entry);
                    return Task.CompletedTask;
                }

                node = waiting.AddLast((entry, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)));
            }

            return WaitAsync(node, cancellationToken);
        }
        catch (Exception exception)
        {
            return Task.FromException(exception);
        }
    }

    private async Task WaitAsync(LinkedListNode<(Entry, TaskCompletionSource Admitted)> node, CancellationToken cancellationToken)
    {
        var registration = cancellationToken.UnsafeRegister(
            _ =>
            {
                lock (gate)
                {
                    if (node.List is not null && node.Value.Admitted.TrySetCanceled(cancellationToken))
                    {
                        waiting.Remove(node);
                    }
                }
            },
            null);
        await using (registration.ConfigureAwait(false))
        {
            await node.Value.Admitted.Task.ConfigureAwait(false);
        }
    }

    private bool HasRoom() => buffered.Events < options.Capacity && buffered.Bytes < options.CapacityBytes;

    private void Admit(Entry entry)
    {
        buffered += entry.Size;
        telemetry.Queued(entry.Size.Events);
        buffer.Writer.TryWrite(entry);
    }

    private void Free(Size size)
    {
        lock (gate)
        {
            buffered -= size;
            telemetry.Queued(-size.Events);
            while (waiting.First is { } first && HasRoom())
            {
                waiting.RemoveFirst();
                Admit(first.Value.Entry);
                first.Value.Admitted.SetResult();
            }
        }
    }

    private async Task FlushAllAsync()
    {
        var batch = new Batch();
        while (await buffer.Reader.WaitToReadAsync().ConfigureAwait(false))
        {
            await GatherAsync(batch).ConfigureAwait(false);
            if (batch.Entries.Count > 0)
            {
                var started = Stopwatch.GetTimestamp();
                await telemetry.RunAsync("flush", batch.Entries.Count, async () =>
                {
                    await StoreAsync(WithoutHeld(batch.InOrderOfCrawls())).ConfigureAwait(false);
                    return true;
                }).ConfigureAwait(false);
                var elapsed = Stopwatch.GetElapsedTime(started);
                Log.Flushed(logger, batch.Entries.Count, elapsed);
            }

            Free(batch.Size);
            Tell(batch.Flushes);

            batch.Clear();
        }
    }

    /// <summary>Takes what is in the buffer. While nobody waits for it, it waits for more; otherwise it only lets those write who are about to: the last flush
    /// has just answered them.</summary>
    private async Task GatherAsync(Batch batch)
    {
        using var linger = new CancellationTokenSource(options.Linger);
        bool more;
        do
        {
            more = false;
            while (!IsFull(batch) && buffer.Reader.TryRead(out var entry))
            {
                batch.Add(entry);
                more = true;
            }

            if (IsFull(batch))
            {
                return;
            }

            if (batch.IsAwaited)
            {
                await Task.Yield();
            }
            else
            {
                more = await MoreAsync(linger.Token).ConfigureAwait(false);
            }
        }
        while (more);
    }

    // Also when it has all the room: nobody can write any more.
    private bool IsFull(Batch batch) =>
        batch.Entries.Count >= Math.Min(options.BatchSize, options.Capacity) || batch.Size.Bytes >= Math.Min(options.BatchBytes, options.CapacityBytes);

    private async ValueTask<bool> MoreAsync(CancellationToken until)
    {
        try
        {
            return await buffer.Reader.WaitToReadAsync(until).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    /// <summary>Stores entries, and tells those who wait. What cannot be stored fails alone.</summary>
    private async Task StoreAsync(ArraySegment<Entry> entries)
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
        catch (Exception exception) when (entries.Count > 1 && MayBeOfSome(exception, entries))
        {
            await StoreAsync(entries[..(entries.Count / 2)]).ConfigureAwait(false);
            await StoreAsync(entries[(entries.Count / 2)..]).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            // Every one of them is told, or kept.
            Fail(entries, exception, hold: !IsOfTheEvent(exception));
        }
    }

    // Data exceptions, violated constraints and exceeded limits are of some event. Of several crawls that are all said to be unknown some may have been made since.
    private static bool MayBeOfSome(Exception exception, ArraySegment<Entry> entries) =>
        exception is RowNotFoundException ? entries[0].CrawlId != entries[^1].CrawlId : IsOfTheEvent(exception);

    private static bool IsOfTheEvent(Exception exception) => exception is RowNotFoundException || (exception is PostgresException server && server.SqlState[..2] is "22" or "23" or "54");

    /// <summary>Leaves out entries of crawls of which events before them could not be stored: they fail as those did.</summary>
    private ArraySegment<Entry> WithoutHeld(ArraySegment<Entry> entries)
    {
        lock (gate)
        {
            if (held.Count == 0)
            {
                return entries;
            }

            foreach (var behind in entries.Where(entry => held.Contains(entry.CrawlId)).GroupBy(entry => entry.CrawlId))
            {
                Fail([.. behind], unstored[behind.Key][0].Error, hold: true);
            }

            return entries.Where(entry => !held.Contains(entry.CrawlId)).ToArray();
        }
    }

    private void Fail(IReadOnlyCollection<Entry> entries, Exception exception, bool hold)
    {
        Log.EventsNotStored(logger, entries.Count, entries.Select(entry => entry.CrawlId).Distinct().Count(), Telemetry.ErrorType(exception));
        lock (gate)
        {
            foreach (var entry in entries)
            {
                if (entry.Stored is { } stored)
                {
                    stored.SetException(exception);
                    continue;
                }

                if (!unstored.TryGetValue(entry.CrawlId, out var ofCrawl))
                {
                    unstored.Add(entry.CrawlId, ofCrawl = []);
                }

                ofCrawl.Add(new UnstoredCrawlEvent { CrawlId = entry.CrawlId, Event = entry.Event!, Error = exception });
                unstoredSize += entry.Size;
                telemetry.Unstored(1);
                if (hold)
                {
                    held.Add(entry.CrawlId);
                }
            }
        }
    }

    private void Tell(List<Entry> flushes)
    {
        foreach (var flush in flushes)
        {
            try
            {
                ThrowIfUnstored();
                flush.Stored!.TrySetResult(0);
            }
            catch (CrawlEventsNotStoredException exception)
            {
                flush.Stored!.TrySetException(exception);
            }
        }
    }

    private void ThrowIfUnstored()
    {
        lock (gate)
        {
            if (unstored.Count > 0)
            {
                throw new CrawlEventsNotStoredException(AllUnstored());
            }
        }
    }

    // What is kept is bounded as the buffer is: beyond that no crawl's events are taken.
    private void ThrowIfUnstored(Guid crawlId)
    {
        if (unstored.TryGetValue(crawlId, out var ofCrawl))
        {
            throw new CrawlEventsNotStoredException([.. ofCrawl]);
        }

        if (unstoredSize.Events >= options.Capacity || unstoredSize.Bytes >= options.CapacityBytes)
        {
            throw new CrawlEventsNotStoredException(AllUnstored());
        }
    }

    private List<UnstoredCrawlEvent> AllUnstored() => [.. unstored.Values.SelectMany(ofCrawl => ofCrawl)];

    private readonly record struct Size(int Events, long Bytes)
    {
        public static Size operator +(Size one, Size other) => new(one.Events + other.Events, one.Bytes + other.Bytes);

        public static Size operator -(Size one, Size other) => new(one.Events - other.Events, one.Bytes - other.Bytes);
    }

    /// <summary>An event, or a flush where there is none.</summary>
    private sealed class Entry
    {
        public Guid CrawlId { get; init; }

        public NewCrawlEvent? Event { get; init; }

        /// <summary>Told when it is stored; null when nobody waits.</summary>
        public TaskCompletionSource<long>? Stored { get; init; }

        public Size Size => Event is null ? default : new Size(1, Event.Payload.Utf8.Length);
    }

    private sealed class Batch
    {
        public List<Entry> Entries { get; } = [];

        public List<Entry> Flushes { get; } = [];

        public Size Size { get; private set; }

        public bool IsAwaited { get; private set; }

        public void Add(Entry entry)
        {
            IsAwaited |= entry.Stored is not null;
            Size += entry.Size;
            (entry.Event is null ? Flushes : Entries).Add(entry);
        }

        /// <summary>The entries of each crawl together, in their order; the crawls as they came.</summary>
        public ArraySegment<Entry> InOrderOfCrawls() => Entries.GroupBy(entry => entry.CrawlId).SelectMany(ofCrawl => ofCrawl).ToArray();

        public void Clear()
        {
            Entries.Clear();
            Flushes.Clear();
            (Size, IsAwaited) = (default, false);
        }
    }
}
