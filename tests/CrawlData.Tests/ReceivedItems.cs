namespace CrawlData.Tests;

/// <summary>The items that a task receives. Another task can wait until their number is reached.</summary>
internal sealed class ReceivedItems<T>
{
    private readonly Lock gate = new();
    private readonly List<T> items = [];
    private (int Count, TaskCompletionSource Reached)? awaited;

    public int Count
    {
        get
        {
            lock (gate)
            {
                return items.Count;
            }
        }
    }

    public void Add(IEnumerable<T> received)
    {
        lock (gate)
        {
            items.AddRange(received);
            if (awaited is { } wait && items.Count >= wait.Count)
            {
                wait.Reached.TrySetResult();
            }
        }
    }

    public void Add(T received) => Add([received]);

    public List<T> ToList()
    {
        lock (gate)
        {
            return [.. items];
        }
    }

    /// <summary>Waits until there are as many items.</summary>
    /// <exception cref="TimeoutException">There are fewer after <see cref="Wait.Longest"/>.</exception>
    public Task UntilCountAsync(int count)
    {
        lock (gate)
        {
            if (items.Count >= count)
            {
                return Task.CompletedTask;
            }

            awaited = (count, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
            return awaited.Value.Reached.Task.WaitAsync(Wait.Longest);
        }
    }
}
