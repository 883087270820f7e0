namespace CrawlData;

/// <summary>How long the library goes on by itself when a server cannot be reached, fails over or refuses for the moment.</summary>
public sealed class RetryOptions
{
    /// <summary>How long an append is tried again, and how long a COMMIT that was cut off is asked about, before the caller gets the error: each of
    /// the two for so long, and for the connection's own time-outs. 30 seconds unless set; zero tries once, and asks once.</summary>
    /// <exception cref="InvalidValueException">The value is negative or more than a day.</exception>
    public TimeSpan Limit
    {
        get;
        set => field = Durations.Require(value, "limit", TimeSpan.Zero, TimeSpan.FromDays(1));
    } = TimeSpan.FromSeconds(30);
}
