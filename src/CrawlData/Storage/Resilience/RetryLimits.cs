namespace CrawlData.Storage;

/// <summary>How long work is retried.</summary>
/// <param name="Total">The time since the first failure; <see cref="Timeout.InfiniteTimeSpan"/> without a limit.</param>
internal sealed record RetryLimits(TimeSpan Total)
{
    /// <summary>The time since the first of the server's own time-outs in a row. They may be the fault of the work itself.</summary>
    public TimeSpan ServerTimeouts { get; init; } = Total;

    /// <summary>Ends the retries. One last attempt follows.</summary>
    public CancellationToken Ended { get; init; }

    /// <summary>Runs before each retry; may be null.</summary>
    public Action? OnRetry { get; init; }

    /// <summary>Whether the caller splits work that exceeds a time-out of the server. Such work is not retried whole.</summary>
    public bool Splits { get; init; }

    /// <summary>Gets the limits for a number of rows.</summary>
    public RetryLimits For(int rows) => Splits && rows > 1 ? this with { ServerTimeouts = TimeSpan.Zero } : this;
}
