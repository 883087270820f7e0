using System.Threading.Channels;
using Npgsql;

namespace CrawlData.Crawls;

/// <summary>Gathers events of any number of crawls from any number of tasks, and appends them in bulk. One for a process, for as long as it runs; safe for use by
/// many tasks at once.</summary>
/// <remarks>
/// <para><b>Order.</b> Within a crawl events are stored in the order of the calls that wrote them, each call awaited before the next. One flush is under way at a
/// time; in it the events of a crawl are kept together, which makes them neighbours on disk.</para>
/// <para><b>What is stored.</b> An event is stored when <see cref="AppendAsync"/>, or a later <see cref="FlushAsync"/>, has returned. Until then it is in this
/// process's memory and is lost with it.</para>
/// <para><b>Errors.</b> A flush is tried again, and settled, as any append (<see cref="RetryOptions"/>). What cannot be stored fails alone: the events of a crawl
/// that does not exist, or an event that the server refuses. Whoever waits for such an event gets its error. Of one that nobody waits for <see
/// cref="FlushAsync"/> tells, with the event, and until it has told the writer takes no more for that crawl; disposing tells of the rest.</para>
/// </remarks>
public sealed class CrawlEventWriter : IAsyncDisposable, IDisposable
{
    private readonly CrawlEventRepository events;
    private readonly CrawlEventWriterOptions options;
    private readonly Channel<Entry> buffer;
    private readonly Task flushing;
    private readonly Lock unstoredLock = new();
    private readonly Dictionary<Guid, List<UnstoredCrawlEvent>> unstored = [];
    private TaskCompletionSource freed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long bufferedBytes;

    /// <summary>Makes a writer.</summary>
    /// <param name="events">Appends what is flushed.</param>
    /// <param name="options">When to flush, and how much to hold; the defaults when null.</param>
    public CrawlEventWriter(CrawlEventRepository events, CrawlEventWriterOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(events);
        this.events = events;
        this.options = options ?? new CrawlEventWriterOptions();
        buffer = Channel.CreateBounded<Entry>(new BoundedChannelOptions(this.options.Capacity) { SingleReader = true });

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
    /// <exception cref="CrawlEventsNotStoredException">Events of this crawl could not be stored, and no <see cref="FlushAsync"/> has told of them. This event is not
    /// written.</exception>
    /// <exception cref="ObjectDisposedException">The writer is disposed.</exception>
    public ValueTask WriteAsync(Guid crawlId, NewCrawlEvent crawlEvent, CancellationToken cancellationToken = default) =>
        WriteAsync(new Entry { CrawlId = crawlId, Event = Require(crawlEvent) }, cancellationToken);

    /// <summary>Writes an event, and waits until it is stored: with those of others who write at the same time, in one transaction.</summary>
    /// <returns>Its id.</returns>
    /// <param name="crawlId">The crawl.</param>
    /// <param name="crawlEvent">The event.</param>
    /// <param name="cancellationToken">Cancels until the event is in the buffer: then it is not written, now or later. From there on it is waited for.</param>
    /// <exception cref="RowNotFoundException">There is no such crawl.</exception>
    /// <exception cref="CrawlEventsNotStoredException">Events of this crawl could not be stored, and no <see cref="FlushAsync"/> has told of them. This event is not
    /// written.</exception>
    /// <exception cref="NpgsqlException">It could not be stored.</exception>
    /// <exception cref="AppendOutcomeUnknownException">It is not known whether it is stored.</exception>
    /// <exception cref="ObjectDisposedException">The writer is disposed.</exception>
    public async Task<long> AppendAsync(Guid crawlId, NewCrawlEvent crawlEvent, CancellationToken cancellationToken = default)
    {
        var stored = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
        await WriteAsync(new Entry { CrawlId = crawlId, Event = Require(crawlEvent), Stored = stored }, cancellationToken).ConfigureAwait(false);
        return await stored.Task.ConfigureAwait(false);
    }

    /// <summary>Waits until everything that was written before is stored.</summary>
    /// <param name="cancellationToken">Ends the wait; the events stay written, and what would have been told is told by the next flush.</param>
    /// <exception cref="CrawlEventsNotStoredException">Events could not be stored since the last flush that told so; all others are.</exception>
    /// <exception cref="ObjectDisposedException">The writer is disposed.</exception>
    public async Task FlushAsync(CancellationToken cancellationToken = default)
    {
        var stored = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
        await WriteAsync(new Entry { Stored = stored }, cancellationToken).ConfigureAwait(false);
        var registration = cancellationToken.UnsafeRegister(static (state, token) => ((TaskCompletionSource<long>)state!).TrySetCanceled(token), stored);
        await using (registration.ConfigureAwait(false))
        {
            await stored.Task.ConfigureAwait(false);
        }
    }

    /// <summary>Takes no more, and waits until everything that was written is stored.</summary>
    /// <exception cref="CrawlEventsNotStoredException">Events could not be stored, and no <see cref="FlushAsync"/> has told of them.</exception>
    public async ValueTask DisposeAsync()
    {
        buffer.Writer.TryComplete();
        await flushing.ConfigureAwait(false);
        if (TakeUnstored() is { } exception)
        {
            throw exception;
        }
    }

    /// <inheritdoc cref="DisposeAsync"/>
    /// <remarks>For containers that dispose synchronously; it blocks the thread.</remarks>
    public void Dispose() => DisposeAsync().AsTask().GetAwaiter().GetResult();

    private static NewCrawlEvent Require(NewCrawlEvent crawlEvent)
    {
        ArgumentNullException.ThrowIfNull(crawlEvent);
        return crawlEvent;
    }

    private async ValueTask WriteAsync(Entry entry, CancellationToken cancellationToken)
    {
        if (entry.Event is not null)
        {
            ThrowIfUnstored(entry.CrawlId);

            // What is to be waited for is taken before it is looked whether to wait.
            for (var wait = Volatile.Read(ref freed).Task; Interlocked.Read(ref bufferedBytes) >= options.CapacityBytes; wait = Volatile.Read(ref freed).Task)
            {
                await wait.WaitAsync(cancellationToken).ConfigureAwait(false);
            }

            Interlocked.Add(ref bufferedBytes, entry.Bytes);
        }

        try
        {
            await buffer.Writer.WriteAsync(entry, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            Free(entry.Bytes);
            throw exception is ChannelClosedException ? new ObjectDisposedException(nameof(CrawlEventWriter)) : exception;
        }
    }

    private async Task FlushAllAsync()
    {
        var batch = new Batch();
        while (await buffer.Reader.WaitToReadAsync().ConfigureAwait(false))
        {
            await GatherAsync(batch).ConfigureAwait(false);
            await StoreAsync(batch.InOrderOfCrawls()).ConfigureAwait(false);
            Free(batch.Bytes);
            if (batch.Flushes.Count > 0)
            {
                Tell(batch.Flushes);
            }

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

    private bool IsFull(Batch batch) => batch.Entries.Count >= options.BatchSize || batch.Bytes >= options.BatchBytes;

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
            Fail(entries.Where(entry => unknown.Contains(entry.CrawlId)), exception);
            await StoreAsync(entries.Where(entry => !unknown.Contains(entry.CrawlId)).ToArray()).ConfigureAwait(false);
        }
        catch (Exception exception) when (entries.Count > 1 && MayBeOfSome(exception, entries))
        {
            await StoreAsync(entries[..(entries.Count / 2)]).ConfigureAwait(false);
            await StoreAsync(entries[(entries.Count / 2)..]).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            // Every one of them is told, or told of.
            Fail(entries, exception);
        }
    }

    // Data exceptions, violated constraints and exceeded limits are of some event. Of several crawls that are all said to be unknown some may have been made since.
    private static bool MayBeOfSome(Exception exception, ArraySegment<Entry> entries) => exception switch
    {
        PostgresException server => server.SqlState[..2] is "22" or "23" or "54",
        RowNotFoundException => entries[0].CrawlId != entries[^1].CrawlId,
        _ => false,
    };

    private void Fail(IEnumerable<Entry> entries, Exception exception)
    {
        foreach (var entry in entries)
        {
            if (entry.Stored is { } stored)
            {
                stored.SetException(exception);
                continue;
            }

            lock (unstoredLock)
            {
                if (!unstored.TryGetValue(entry.CrawlId, out var ofCrawl))
                {
                    unstored.Add(entry.CrawlId, ofCrawl = []);
                }

                ofCrawl.Add(new UnstoredCrawlEvent { CrawlId = entry.CrawlId, Event = entry.Event!, Error = exception });
            }
        }
    }

    /// <summary>Ends flushes: all of them with what could not be stored, since each promised it.</summary>
    private void Tell(List<Entry> flushes)
    {
        if (TakeUnstored() is not { } exception)
        {
            flushes.ForEach(flush => flush.Stored!.TrySetResult(0));
            return;
        }

        var told = false;
        foreach (var flush in flushes)
        {
            told |= flush.Stored!.TrySetException(exception);
        }

        if (!told)
        {
            // Their callers have left: the next flush tells.
            lock (unstoredLock)
            {
                foreach (var ofCrawl in exception.Events.GroupBy(one => one.CrawlId))
                {
                    unstored.Add(ofCrawl.Key, [.. ofCrawl]);
                }
            }
        }
    }

    private CrawlEventsNotStoredException? TakeUnstored()
    {
        lock (unstoredLock)
        {
            if (unstored.Count == 0)
            {
                return null;
            }

            var exception = new CrawlEventsNotStoredException([.. unstored.Values.SelectMany(ofCrawl => ofCrawl)]);
            unstored.Clear();
            return exception;
        }
    }

    private void ThrowIfUnstored(Guid crawlId)
    {
        lock (unstoredLock)
        {
            if (unstored.TryGetValue(crawlId, out var ofCrawl))
            {
                throw new CrawlEventsNotStoredException([.. ofCrawl]);
            }
        }
    }

    private void Free(long bytes)
    {
        Interlocked.Add(ref bufferedBytes, -bytes);
        Interlocked.Exchange(ref freed, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
    }

    /// <summary>An event, or a flush where there is none.</summary>
    private sealed class Entry
    {
        public Guid CrawlId { get; init; }

        public NewCrawlEvent? Event { get; init; }

        /// <summary>Told when it is stored; null when nobody waits.</summary>
        public TaskCompletionSource<long>? Stored { get; init; }

        public int Bytes => Event?.Payload.Utf8.Length ?? 0;
    }

    private sealed class Batch
    {
        public List<Entry> Entries { get; } = [];

        public List<Entry> Flushes { get; } = [];

        public long Bytes { get; private set; }

        public bool IsAwaited { get; private set; }

        public void Add(Entry entry)
        {
            IsAwaited |= entry.Stored is not null;
            Bytes += entry.Bytes;
            (entry.Event is null ? Flushes : Entries).Add(entry);
        }

        /// <summary>The entries of each crawl together, in their order; the crawls as they came.</summary>
        public ArraySegment<Entry> InOrderOfCrawls() => Entries.GroupBy(entry => entry.CrawlId).SelectMany(ofCrawl => ofCrawl).ToArray();

        public void Clear()
        {
            Entries.Clear();
            Flushes.Clear();
            (Bytes, IsAwaited) = (0, false);
        }
    }
}
