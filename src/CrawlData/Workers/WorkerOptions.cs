namespace CrawlData.Workers;

/// <summary>How a hosted worker works. Set the options in the call of <c>AddAuditWorker</c> or <c>AddCrawlWorker</c>, or from the application's configuration,
/// as named options.</summary>
/// <example>
/// <code>
/// builder.Services.Configure&lt;WorkerOptions&gt;(WorkerOptions.Audits, builder.Configuration.GetSection("AuditWorker"));
/// </code>
/// </example>
public sealed class WorkerOptions
{
    /// <summary>The name of the options of the worker on sessions.</summary>
    public const string Audits = "CrawlData.Audits";

    /// <summary>The name of the options of the worker on runs.</summary>
    public const string Crawls = "CrawlData.Crawls";

    /// <summary>Returns the name of the options of a worker on a database with a key.</summary>
    /// <param name="queue"><see cref="Audits"/> or <see cref="Crawls"/>.</param>
    /// <param name="serviceKey">The key that was passed to <c>AddKeyedCrawlData</c>; null for the database without one.</param>
    /// <returns>The queue, a colon and the key.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="queue"/> is null.</exception>
    public static string NameOf(string queue, string? serviceKey)
    {
        ArgumentNullException.ThrowIfNull(queue);
        return serviceKey is null ? queue : $"{queue}:{serviceKey}";
    }

    /// <summary>The most items that the worker handles at a time.</summary>
    /// <value>The default is 1. The range is 1 to 1,000.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range.</exception>
    public int Concurrency { get; set => field = ArgumentRange.Require(value, 1, 1_000, nameof(Concurrency)); } = 1;

    /// <summary>The pause between two looks into an empty queue. With <see cref="CrawlDataOptions.Notify"/> the worker also listens, and claims new work at
    /// once.</summary>
    /// <value>The default is 5 seconds. The range is 10 ms to 1 hour.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range.</exception>
    public TimeSpan PollInterval
    {
        get;
        set => field = ArgumentRange.Require(value, TimeSpan.FromMilliseconds(10), TimeSpan.FromHours(1), nameof(PollInterval));
    } = ClaimOptions.Default.PollInterval;

    /// <summary>The time without a sign of life after which an item is taken from its worker. The worker sends a heartbeat for all its items each quarter of
    /// this time. It looks for stale items of any worker about each half of it. Set the same for all workers on a database.</summary>
    /// <value>The default is 2 minutes. The range is 100 ms to 1 day.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range.</exception>
    public TimeSpan StaleAfter
    {
        get;
        set => field = ArgumentRange.Require(value, TimeSpan.FromMilliseconds(100), TimeSpan.FromDays(1), nameof(StaleAfter));
    } = TimeSpan.FromMinutes(2);

    /// <summary>The most attempts at an item. Then it has failed. An attempt that was handed back at a shutdown does not count.</summary>
    /// <value>The default is 3; the least is 1.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is less than 1.</exception>
    public int MaxAttempts { get; set => field = ArgumentRange.RequireAtLeastOne(value, nameof(MaxAttempts)); } = 3;

    /// <summary>The delay before the second attempt. Each further delay is twice the last.</summary>
    /// <value>The default is 10 seconds. The range is 0 to 1 day.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range.</exception>
    public TimeSpan RetryDelay
    {
        get;
        set => field = ArgumentRange.Require(value, TimeSpan.Zero, TimeSpan.FromDays(1), nameof(RetryDelay));
    } = TimeSpan.FromSeconds(10);

    /// <summary>The longest delay before an attempt.</summary>
    /// <value>The default is 10 minutes. The range is 0 to 30 days.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range.</exception>
    public TimeSpan LongestRetryDelay
    {
        get;
        set => field = ArgumentRange.Require(value, TimeSpan.Zero, TimeSpan.FromDays(30), nameof(LongestRetryDelay));
    } = TimeSpan.FromMinutes(10);

    /// <summary>How long handlers may go on when the host stops. Then their token is cancelled, and their items are handed back.</summary>
    /// <value>The default is 20 seconds. The range is 0 to 1 hour.</value>
    /// <remarks>Keep it 10 seconds below the host's <c>HostOptions.ShutdownTimeout</c>, which is 30 seconds by default. An item that is not handed back in that
    /// time is rescued after <see cref="StaleAfter"/>.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range.</exception>
    public TimeSpan ShutdownTimeout
    {
        get;
        set => field = ArgumentRange.Require(value, TimeSpan.Zero, TimeSpan.FromHours(1), nameof(ShutdownTimeout));
    } = TimeSpan.FromSeconds(20);

    /// <summary>Gets the delay after an attempt, with some jitter.</summary>
    /// <param name="attempt">The number of the attempt that failed, from 1.</param>
    internal TimeSpan DelayAfter(int attempt)
    {
        var doubled = RetryDelay.TotalSeconds * Math.Pow(2, Math.Min(attempt, 100) - 1) * (1 + (Random.Shared.NextDouble() / 4));
        return TimeSpan.FromSeconds(Math.Min(doubled, LongestRetryDelay.TotalSeconds));
    }
}
