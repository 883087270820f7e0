using CrawlData.Instrumentation;
using CrawlData.Storage;

namespace CrawlData.Crawls;

/// <summary>A writer's events: those that wait to be stored, and those that could not be stored. It is bounded by events and by bytes, and first in, first out.
/// Callers wait for space in the order of their calls.</summary>
/// <remarks>The writer's flush loop is the only reader. One lock guards all of it, so that a crawl's events fail, or are taken, at one moment.</remarks>
internal sealed class CrawlEventBuffer(CrawlEventWriterOptions options, Telemetry telemetry, Spool? spool)
{
    // It guards the fields below. No callback of the application's runs under it.
    private readonly Lock gate = new();
    private readonly Queue<QueuedEvent> queue = [];
    private readonly Queue<QueuedEvent> spooling = [];
    private readonly LinkedList<(QueuedEvent Entry, TaskCompletionSource Admitted)> waiting = [];
    private readonly List<FlushRequest> flushes = [];
    private readonly UnstoredEvents unstored = new(options);
    private readonly Dictionary<Guid, LockedCrawl> locked = [];
    private EventSize size;
    private EventSize lockedSize;
    private long sequence;
    private TaskCompletionSource<bool>? readable;
    private bool isWoken;
    private bool isClosed;
    private Exception? failure;

    /// <summary>The number of events that wait for space, to be read, or for a lock, and of those that were read and not freed.</summary>
    public int PendingCount
    {
        get
        {
            lock (gate)
            {
                return waiting.Count + size.Events + lockedSize.Events;
            }
        }
    }

    /// <summary>Adds an event when there is space for it.</summary>
    /// <param name="entry">The event.</param>
    /// <param name="cancellationToken">Cancels the wait. Then the event is not added.</param>
    /// <exception cref="CrawlEventsNotStoredException">The buffer keeps unstored events of the crawl, or as many as it may.</exception>
    /// <exception cref="ObjectDisposedException">The buffer is closed, or was closed during the wait.</exception>
    /// <exception cref="InvalidOperationException">The flush loop has failed.</exception>
    public Task AddAsync(QueuedEvent entry, CancellationToken cancellationToken)
    {
        LinkedListNode<(QueuedEvent, TaskCompletionSource)>? node;
        int admitted;
        lock (gate)
        {
            ThrowIfClosed();
            unstored.ThrowIfRefused(entry.CrawlId);
            cancellationToken.ThrowIfCancellationRequested();
            entry.Sequence = ++sequence;
            if (waiting.Count > 0 || !HasSpaceFor(entry))
            {
                node = waiting.AddLast((entry, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)));
                admitted = AdmitWaiting();
            }
            else
            {
                Admit(entry);
                (node, admitted) = (null, 1);
            }
        }

        telemetry.Queued(admitted);
        return node is null ? Task.CompletedTask : WaitAsync(node, cancellationToken);
    }

    /// <summary>Adds the events that are in the spool since before, in front of all others.</summary>
    public IReadOnlyList<QueuedEvent> AddSpooled()
    {
        if (spool is null)
        {
            return [];
        }

        List<QueuedEvent> entries =
            [.. spool.Events.Select(one => new QueuedEvent
            {
                CrawlId = one.CrawlId,
                Event = one.Event,
                Claim = one.Claim is { } claim ? new RowClaim(claim, OutlivesRun: true) : null,
                Spooled = one,
                Sequence = one.Sequence,
            })];
        lock (gate)
        {
            sequence = spool.LastSequence;
            foreach (var entry in entries)
            {
                size += entry.Size;
                queue.Enqueue(entry);
            }

            WakeReader();
        }

        spool.OnBufferWritten = OnSpooled;
        telemetry.Queued(entries.Count);
        return entries;
    }

    /// <summary>Requests a flush of the events that were written before.</summary>
    /// <param name="crawlId">The crawl whose events are flushed; null for all.</param>
    /// <exception cref="ObjectDisposedException">The buffer is closed.</exception>
    /// <exception cref="InvalidOperationException">The flush loop has failed.</exception>
    public FlushRequest RequestFlush(Guid? crawlId)
    {
        lock (gate)
        {
            ThrowIfClosed();
            return AddFlush(crawlId);
        }
    }

    /// <summary>Waits until there are events to read, a flush is requested, or <see cref="Wake"/> is called.</summary>
    /// <returns>False when the buffer is closed, and all its events were read.</returns>
    public ValueTask<bool> WaitToReadAsync(CancellationToken cancellationToken = default)
    {
        lock (gate)
        {
            if (queue.Count > 0 || isWoken)
            {
                return new(true);
            }

            if (isClosed && locked.Count == 0 && spooling.Count == 0)
            {
                return new(false);
            }

            readable = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
            return new(readable.Task.WaitAsync(cancellationToken));
        }
    }

    /// <summary>Lets <see cref="WaitToReadAsync"/> return.</summary>
    public void Wake()
    {
        lock (gate)
        {
            isWoken = true;
            WakeReader();
        }
    }

    /// <summary>Moves events into a batch until it is full. Events of locked crawls go to the events that wait for the lock.</summary>
    /// <returns>Whether there was any.</returns>
    public bool Read(FlushBatch batch)
    {
        bool any;
        int admitted;
        lock (gate)
        {
            isWoken = false;
            batch.IsAwaited |= flushes.Count > 0;
            any = queue.Count > 0;
            while (!batch.IsFull && queue.TryDequeue(out var entry))
            {
                if (locked.TryGetValue(entry.CrawlId, out var crawl))
                {
                    MoveTo(crawl, entry);
                }
                else
                {
                    batch.Add(entry);
                }
            }

            admitted = AdmitWaiting();
        }

        telemetry.Queued(admitted);
        return any;
    }

    /// <summary>Moves the events of locked crawls out of a batch. They wait for the lock.</summary>
    /// <param name="batch">The batch.</param>
    /// <param name="crawls">The locked crawls.</param>
    /// <param name="now">The timestamp.</param>
    public void Lock(FlushBatch batch, IReadOnlySet<Guid> crawls, long now)
    {
        int admitted;
        lock (gate)
        {
            var moved = batch.Events.Where(entry => !entry.IsDone && crawls.Contains(entry.CrawlId)).ToHashSet();
            foreach (var entry in moved)
            {
                if (!locked.TryGetValue(entry.CrawlId, out var crawl))
                {
                    locked.Add(entry.CrawlId, crawl = new LockedCrawl(entry.CrawlId, now));
                }

                MoveTo(crawl, entry);
            }

            batch.Remove(moved);
            admitted = AdmitWaiting();
        }

        telemetry.Queued(admitted);
    }

    /// <summary>Gets the locked crawls, and their events that wait at this moment.</summary>
    public IReadOnlyList<(LockedCrawl Crawl, QueuedEvent[] Events)> Locked()
    {
        lock (gate)
        {
            return [.. locked.Values.Select(crawl => (crawl, crawl.Events.ToArray()))];
        }
    }

    /// <summary>Frees the space of locked crawls' events that are stored or failed. A crawl without events left is no longer locked.</summary>
    /// <param name="now">The timestamp.</param>
    public void FreeLocked(long now)
    {
        EventSize freed = default;
        int admitted;
        lock (gate)
        {
            foreach (var crawl in locked.Values)
            {
                var done = crawl.Events.Where(entry => entry.IsDone).Aggregate(default(EventSize), (sum, entry) => sum + entry.Size);
                if (done.Events > 0)
                {
                    crawl.Events.RemoveAll(entry => entry.IsDone);
                    crawl.Since = now;
                    freed += done;
                }

                if (crawl.Events.Count == 0)
                {
                    locked.Remove(crawl.CrawlId);
                }
            }

            lockedSize -= freed;
            admitted = AdmitWaiting();
        }

        telemetry.Queued(admitted - freed.Events);
    }

    /// <summary>Frees the space of events that were read, and admits waiting events.</summary>
    public void Free(EventSize freed)
    {
        int admitted;
        lock (gate)
        {
            size -= freed;
            admitted = AdmitWaiting();
        }

        telemetry.Queued(admitted - freed.Events);
    }

    /// <summary>Fails events that cannot be stored, each by itself. Awaiting callers get the error, and the other events are kept.</summary>
    public void Fail(IReadOnlyCollection<QueuedEvent> entries, Exception error)
    {
        int kept;
        lock (gate)
        {
            kept = unstored.Fail(entries, error);
        }

        telemetry.Unstored(kept);
    }

    /// <summary>Fails all events of crawls that are not stored, also those that wait to be read, for space, or for a lock. So later events are not stored
    /// before them.</summary>
    /// <param name="crawls">The crawls; null for all.</param>
    /// <param name="read">Events that were read, in their order. Events that are stored or failed are passed over.</param>
    /// <param name="error">The reason.</param>
    /// <returns>The events that failed.</returns>
    public IReadOnlyCollection<QueuedEvent> FailCrawls(IReadOnlySet<Guid>? crawls, IEnumerable<QueuedEvent> read, Exception error)
    {
        var failed = new List<QueuedEvent>();
        int kept;
        EventSize freed = default;
        int admitted;
        lock (gate)
        {
            failed.AddRange(read.Where(entry => !entry.IsDone && Concerns(entry)));
            foreach (var entry in locked.Values.SelectMany(crawl => crawl.Events).Where(Concerns))
            {
                freed += entry.Size;
                lockedSize -= entry.Size;
                if (!entry.IsDone)
                {
                    failed.Add(entry);
                }
            }

            foreach (var crawl in locked.Keys.Where(crawl => crawls is null || crawls.Contains(crawl)))
            {
                locked.Remove(crawl);
            }

            for (var left = queue.Count; left > 0; left--)
            {
                var entry = queue.Dequeue();
                if (Concerns(entry))
                {
                    freed += entry.Size;
                    size -= entry.Size;
                    if (!entry.IsDone)
                    {
                        failed.Add(entry);
                    }
                }
                else
                {
                    queue.Enqueue(entry);
                }
            }

            foreach (var entry in spooling.Where(entry => !entry.IsDone && Concerns(entry)))
            {
                failed.Add(entry);
                freed += entry.Size;
                size -= entry.Size;
            }

            LinkedListNode<(QueuedEvent Entry, TaskCompletionSource Admitted)>? next;
            for (var node = waiting.First; node is not null; node = next)
            {
                next = node.Next;
                if (Concerns(node.Value.Entry))
                {
                    waiting.Remove(node);
                    failed.Add(node.Value.Entry);
                    Spool(node.Value.Entry);
                    node.Value.Admitted.SetResult();
                }
            }

            admitted = AdmitWaiting();
            kept = unstored.Fail(failed, error);
        }

        telemetry.Queued(admitted - freed.Events);
        telemetry.Unstored(kept);
        return failed;

        bool Concerns(QueuedEvent entry) => crawls is null || crawls.Contains(entry.CrawlId);
    }

    /// <summary>Completes the flushes whose events are all stored or failed.</summary>
    public void CompleteFlushes()
    {
        lock (gate)
        {
            flushes.RemoveAll(flush =>
            {
                if (IsPending(flush))
                {
                    return false;
                }

                flush.Complete(unstored);
                return true;
            });
        }
    }

    /// <summary>Takes unstored events out. Flushes that wait for them still fail.</summary>
    /// <param name="crawlId">The crawl; null for all.</param>
    public IReadOnlyList<UnstoredCrawlEvent> Take(Guid? crawlId)
    {
        List<KeptEvent> taken;
        lock (gate)
        {
            taken = unstored.Take(crawlId);
            if (taken.Select(one => one.Entry.Spooled).OfType<SpooledEvent>().ToList() is { Count: > 0 } spooled)
            {
                spool!.WriteTaken(spooled);
            }

            if (taken.Count > 0)
            {
                flushes.ForEach(flush => flush.NoteTaken(taken));
            }
        }

        telemetry.Unstored(-taken.Count);
        return [.. taken.Select(one => one.ToPublic())];
    }

    /// <summary>Forgets the unstored events, because they stay in the spool.</summary>
    /// <returns>Their number.</returns>
    public int LeaveInSpool()
    {
        int left;
        lock (gate)
        {
            left = unstored.Take(null).Count;
        }

        telemetry.Unstored(-left);
        return left;
    }

    /// <summary>Refuses further events and flushes, and fails calls that wait for space. The reader ends after the events that were admitted.</summary>
    /// <returns>A flush of all events.</returns>
    public FlushRequest Close()
    {
        lock (gate)
        {
            isClosed = true;
            foreach (var (_, admitted) in waiting)
            {
                admitted.TrySetException(new ObjectDisposedException(nameof(CrawlEventWriter)));
            }

            waiting.Clear();
            return AddFlush(null);
        }
    }

    /// <summary>Fails all events, and refuses further events and flushes.</summary>
    /// <param name="read">Events that were read, in their order.</param>
    /// <param name="error">Why the flush loop failed.</param>
    public IReadOnlyCollection<QueuedEvent> Abort(IEnumerable<QueuedEvent> read, Exception error)
    {
        lock (gate)
        {
            failure = error;
        }

        try
        {
            return FailCrawls(null, read, error);
        }
        finally
        {
            CompleteFlushes();
        }
    }

    /// <exception cref="InvalidOperationException">The flush loop has failed.</exception>
    public void ThrowIfFailed()
    {
        lock (gate)
        {
            if (failure is not null)
            {
                throw new InvalidOperationException("The writer's flush loop has failed. Take its unstored events, and make a new writer.", failure);
            }
        }
    }

    private FlushRequest AddFlush(Guid? crawlId)
    {
        var flush = new FlushRequest(crawlId, ++sequence);
        flushes.Add(flush);
        isWoken = true;
        WakeReader();
        return flush;
    }

    private async Task WaitAsync(LinkedListNode<(QueuedEvent, TaskCompletionSource Admitted)> node, CancellationToken cancellationToken)
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

    /// <summary>Whether events wait that were written before a flush. Events of locked crawls that others wait behind do not count for other crawls.</summary>
    private bool IsPending(FlushRequest flush) =>
        (queue.TryPeek(out var next) && next.Sequence < flush.Sequence)
        || (spooling.TryPeek(out var written) && written.Sequence < flush.Sequence)
        || locked.Values.Any(crawl => flush.Concerns(crawl.CrawlId) && crawl.Events[0].Sequence < flush.Sequence)
        || waiting.TakeWhile(one => one.Entry.Sequence < flush.Sequence)
            .Any(one => flush.Concerns(one.Entry.CrawlId) || !locked.ContainsKey(one.Entry.CrawlId));

    // The locked crawls share a capacity of their own, so that they do not fill the buffer for the others.
    private bool HasSpaceFor(QueuedEvent entry) => !size.Fills(options) && (!lockedSize.Fills(options) || !locked.ContainsKey(entry.CrawlId));

    private void MoveTo(LockedCrawl crawl, QueuedEvent entry)
    {
        crawl.Events.Add(entry);
        size -= entry.Size;
        lockedSize += entry.Size;
    }

    private int AdmitWaiting()
    {
        var admitted = 0;
        LinkedListNode<(QueuedEvent Entry, TaskCompletionSource Admitted)>? next;
        for (var node = waiting.First; node is not null && !size.Fills(options); node = next)
        {
            next = node.Next;
            if (HasSpaceFor(node.Value.Entry))
            {
                waiting.Remove(node);
                Admit(node.Value.Entry);
                node.Value.Admitted.SetResult();
                admitted++;
            }
        }

        return admitted;
    }

    private void Admit(QueuedEvent entry)
    {
        size += entry.Size;
        if (spool is not null)
        {
            Spool(entry);
            return;
        }

        queue.Enqueue(entry);
        WakeReader();
    }

    /// <summary>Hands an event to the spool. An event that a caller awaits is not written, and only keeps its place among the others.</summary>
    private void Spool(QueuedEvent entry)
    {
        if (spool is null)
        {
            return;
        }

        spooling.Enqueue(entry);
        if (entry.Stored is not null)
        {
            spool.Pass();
            return;
        }

        entry.Spooled = new SpooledEvent { Sequence = entry.Sequence, CrawlId = entry.CrawlId, Event = entry.Event, Claim = entry.Claim?.Number };
        entry.Written = spool.Write(entry.Spooled).Completed;
    }

    /// <summary>Takes events over from the spool. Those that are not on disk are not stored, because their callers get the error.</summary>
    private void OnSpooled(int count, SpoolWriteException? error)
    {
        EventSize freed = default;
        var removed = 0;
        int admitted;
        lock (gate)
        {
            for (; count > 0; count--)
            {
                var entry = spooling.Dequeue();
                if (error is null || entry.Spooled is null)
                {
                    if (!entry.IsDone)
                    {
                        queue.Enqueue(entry);
                    }
                }
                else if (entry.IsDone)
                {
                    removed += unstored.Remove(entry) ? 1 : 0;
                }
                else
                {
                    entry.Drop();
                    freed += entry.Size;
                }
            }

            size -= freed;
            admitted = AdmitWaiting();
            isWoken = true;
            WakeReader();
        }

        telemetry.Queued(admitted - freed.Events);
        telemetry.Unstored(-removed);
    }

    private void WakeReader()
    {
        readable?.TrySetResult(true);
        readable = null;
    }

    private void ThrowIfClosed()
    {
        ThrowIfFailed();
        ObjectDisposedException.ThrowIf(isClosed, typeof(CrawlEventWriter));
    }
}
