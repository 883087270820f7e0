using CrawlData.Instrumentation;

namespace CrawlData.Crawls;

/// <summary>A writer's events: those that wait to be stored, and those that could not be stored. It is bounded by events and by bytes, and first in, first out.
/// Callers wait for space in the order of their calls.</summary>
/// <remarks>The writer's flush loop is the only reader. One lock guards all of it, so that a crawl's events fail, or are taken, at one moment.</remarks>
internal sealed class CrawlEventBuffer(CrawlEventWriterOptions options, Telemetry telemetry)
{
    // It guards the fields below. No callback of the application's runs under it.
    private readonly Lock gate = new();
    private readonly Queue<QueuedEvent> queue = [];
    private readonly LinkedList<(QueuedEvent Entry, TaskCompletionSource Admitted)> waiting = [];
    private readonly List<FlushRequest> flushes = [];
    private readonly UnstoredEvents unstored = new(options);
    private EventSize size;
    private long sequence;
    private TaskCompletionSource<bool>? readable;
    private bool isFlushRequested;
    private bool isClosed;
    private Exception? failure;

    /// <summary>Adds an event when there is space for it.</summary>
    /// <param name="entry">The event.</param>
    /// <param name="cancellationToken">Cancels the wait. Then the event is not added.</param>
    /// <exception cref="CrawlEventsNotStoredException">The buffer keeps unstored events of the crawl, or as many as it may.</exception>
    /// <exception cref="ObjectDisposedException">The buffer is closed, or was closed during the wait.</exception>
    /// <exception cref="InvalidOperationException">The flush loop has failed.</exception>
    public Task AddAsync(QueuedEvent entry, CancellationToken cancellationToken)
    {
        LinkedListNode<(QueuedEvent, TaskCompletionSource)> node;
        lock (gate)
        {
            ThrowIfClosed();
            unstored.ThrowIfRefused(entry.CrawlId);
            cancellationToken.ThrowIfCancellationRequested();
            entry.Sequence = ++sequence;
            if (waiting.Count > 0 || size.Fills(options))
            {
                node = waiting.AddLast((entry, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)));
            }
            else
            {
                Admit(entry);
                node = null!;
            }
        }

        if (node is not null)
        {
            return WaitAsync(node, cancellationToken);
        }

        telemetry.Queued(1);
        return Task.CompletedTask;
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

    /// <summary>Waits until there are events to read, or a flush is requested.</summary>
    /// <returns>False when the buffer is closed, and all its events were read.</returns>
    public ValueTask<bool> WaitToReadAsync(CancellationToken cancellationToken = default)
    {
        lock (gate)
        {
            if (queue.Count > 0 || isFlushRequested)
            {
                return new(true);
            }

            if (isClosed)
            {
                return new(false);
            }

            readable = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
            return new(readable.Task.WaitAsync(cancellationToken));
        }
    }

    /// <summary>Moves events into a batch until it is full.</summary>
    /// <returns>Whether there was any.</returns>
    public bool Read(FlushBatch batch)
    {
        lock (gate)
        {
            isFlushRequested = false;
            batch.IsAwaited |= flushes.Count > 0;
            var before = batch.Events.Count;
            while (!batch.IsFull && queue.TryDequeue(out var entry))
            {
                batch.Add(entry);
            }

            return batch.Events.Count > before;
        }
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

    /// <summary>Fails all events of crawls that are not stored, also those that wait to be read, or for space. So later events are not stored before
    /// them.</summary>
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
            for (var left = queue.Count; left > 0; left--)
            {
                var entry = queue.Dequeue();
                if (Concerns(entry))
                {
                    failed.Add(entry);
                    freed += entry.Size;
                }
                else
                {
                    queue.Enqueue(entry);
                }
            }

            for (var (node, next) = (waiting.First, (LinkedListNode<(QueuedEvent Entry, TaskCompletionSource Admitted)>?)null); node is not null; node = next)
            {
                next = node.Next;
                if (Concerns(node.Value.Entry))
                {
                    waiting.Remove(node);
                    failed.Add(node.Value.Entry);
                    node.Value.Admitted.SetResult();
                }
            }

            size -= freed;
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
            var pending = queue.TryPeek(out var next) ? next.Sequence : waiting.First?.Value.Entry.Sequence ?? long.MaxValue;
            flushes.RemoveAll(flush =>
            {
                if (flush.Sequence > pending)
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
            if (taken.Count > 0)
            {
                flushes.ForEach(flush => flush.NoteTaken(taken));
            }
        }

        telemetry.Unstored(-taken.Count);
        return [.. taken.Select(one => one.ToPublic())];
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
        isFlushRequested = true;
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

    private int AdmitWaiting()
    {
        var admitted = 0;
        for (; waiting.First is { } first && !size.Fills(options); admitted++)
        {
            waiting.RemoveFirst();
            Admit(first.Value.Entry);
            first.Value.Admitted.SetResult();
        }

        return admitted;
    }

    private void Admit(QueuedEvent entry)
    {
        size += entry.Size;
        queue.Enqueue(entry);
        WakeReader();
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
