namespace CrawlData;

/// <summary>How a stream of claims waits for work.</summary>
public sealed record ClaimOptions
{
    internal static readonly ClaimOptions Default = new();

    /// <summary>The pause between two looks into an empty queue. A delayed retry is found by such a look.</summary>
    /// <value>The default is 5 seconds. The range is 10 ms to 1 hour.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range.</exception>
    public TimeSpan PollInterval
    {
        get;
        init => field = ArgumentRange.Require(value, TimeSpan.FromMilliseconds(10), TimeSpan.FromHours(1), nameof(PollInterval));
    } = TimeSpan.FromSeconds(5);

    /// <summary>Whether to listen for notifications, and to claim at once when one arrives. Repositories and queues that were made with <c>notify: true</c>
    /// send them.</summary>
    /// <value>The default is false.</value>
    /// <remarks>A notification is a hint: the queue is also polled. All that listen over one data source share one connection, followers too. Through PgBouncer
    /// in transaction mode no notification arrives. Where listening would take the pool's last connection, the queue is only polled. A data source that
    /// multiplexes is refused.</remarks>
    public bool Listen { get; init; }
}
