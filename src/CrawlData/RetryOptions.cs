namespace CrawlData;

/// <summary>How long the library retries by itself when a server cannot be reached, fails over, or refuses for a transient reason.</summary>
public sealed class RetryOptions
{
    /// <summary>How long an append, a follower's read, or the migration at start-up is retried after its first failure, and how long a lost COMMIT is verified,
    /// before the caller gets the error.</summary>
    /// <value>The default is 30 seconds. The range is 0 to 1 day. Zero makes one attempt, and one attempt to verify.</value>
    /// <remarks>Each of the two lasts at most this long, plus the connection's own time-outs.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range.</exception>
    public TimeSpan Limit
    {
        get;
        set => field = ArgumentRange.Require(value, TimeSpan.Zero, TimeSpan.FromDays(1), nameof(Limit));
    } = TimeSpan.FromSeconds(30);
}
