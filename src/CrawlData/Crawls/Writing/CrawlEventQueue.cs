using System.Threading.Channels;
using CrawlData.Instrumentation;

namespace CrawlData.Crawls;

/// <summary>A writer's queue: bounded by events and by bytes, first in, first out. Callers wait for space in the order of their calls.</summary>
internal sealed class CrawlEventQueue(CrawlEventWriterOptions options, Telemetry telemetry)
{
    private readonly Channel<QueuedEvent> channel = Channel.CreateUnbounded<QueuedEvent>(new UnboundedChannelOptions { SingleReader = true });

    // It guards the fields below.
    private readonly Lock gate = new();
    private readonly LinkedList<(QueuedEvent Entry, TaskCompletionSource Admitted)> waiting = [];
    private EventSize size;
    private bool closed;

    public ChannelReader<QueuedEvent> Reader => channel.Reader;

    /// <exception cref="ObjectDisposedException">The queue is closed.</exception>
    public void ThrowIfClosed()
    {
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(closed, typeof(CrawlEventWriter));
        }
    }

    /// <summary>Adds an entry when there is space for it.</summary>
    /// <param name="entry">The entry.</param>
    /// <param name="cancellationToken">Cancels the wait. Then the entry is not added.</param>
    /// <exception cref="ObjectDisposedException">The queue is closed, or was closed during the wait.</exception>
    public Task AddAsync(QueuedEvent entry, CancellationToken cancellationToken)
    {
        LinkedListNode<(QueuedEvent, TaskCompletionSource)> node;
        lock (gate)
        {
            ThrowIfClosed();
            cancellationToken.ThrowIfCancellationRequested();
            if (waiting.Count == 0 && !size.Fills(options))
            {
                Admit(entry);
                return Task.CompletedTask;
            }

            node = waiting.AddLast((entry, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)));
        }

        return WaitAsync(node, cancellationToken);
    }

    /// <summary>Frees the space of entries that left the queue, and admits waiting entries.</summary>
    public void Free(EventSize freed)
    {
        lock (gate)
        {
            size -= freed;
            telemetry.Queued(-freed.Events);
            while (waiting.First is { } first && !size.Fills(options))
            {
                waiting.RemoveFirst();
                Admit(first.Value.Entry);
                first.Value.Admitted.SetResult();
            }
        }
    }

    /// <summary>Refuses further entries, and entries that wait for space. The reader ends after the entries that were admitted.</summary>
    public void Close()
    {
        lock (gate)
        {
            closed = true;
            foreach (var (_, admitted) in waiting)
            {
                admitted.TrySetException(new ObjectDisposedException(nameof(CrawlEventWriter)));
            }

            waiting.Clear();
            channel.Writer.TryComplete();
        }
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

    private void Admit(QueuedEvent entry)
    {
        size += entry.Size;
        telemetry.Queued(entry.Size.Events);
        channel.Writer.TryWrite(entry);
    }
}
