using CrawlData.Instrumentation;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CrawlData.Storage;

/// <summary>The attempts at one piece of work. It measures the time since the first failure, and pauses between the attempts. An attempt that hangs until its
/// time-out so leaves time for the next.</summary>
/// <param name="dataSource">The data source that the work uses.</param>
/// <param name="limits">How long the work is retried.</param>
/// <param name="timeProvider">Measures the time, and the pauses.</param>
/// <param name="telemetry">Counts the retries.</param>
/// <param name="logger">Logs the retries.</param>
internal sealed class RetryAttempts(NpgsqlDataSource dataSource, RetryLimits limits, TimeProvider timeProvider, Telemetry telemetry, ILogger logger)
{
    /// <summary>So many retries are logged one by one. Afterwards an entry comes when the time has doubled, and at least each <see cref="LongestSilence"/>,
    /// so that an outage does not flood the log.</summary>
    private const int LoggedRetries = 5;

    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestSilence = TimeSpan.FromMinutes(1);

    private long? firstFailure;
    private long? firstTimeout;
    private TimeSpan pause = ShortestPause;
    private TimeSpan nextLog;
    private int retries;

    /// <summary>The time since the first failure; zero before it.</summary>
    public TimeSpan Elapsed => Since(firstFailure);

    /// <summary>Whether there is time for another attempt.</summary>
    public bool HasTime => !limits.Ended.IsCancellationRequested && IsWithin(limits.Total, Elapsed);

    /// <summary>Whether there is time for another attempt after an error. The server's own time-outs have a limit of their own.</summary>
    public bool HasTimeAfter(Exception exception) =>
        HasTime && (!RetryPolicy.IsServerTimeout(exception) || IsWithin(limits.ServerTimeouts, Since(firstTimeout)));

    /// <summary>Logs and counts a retry with its cause, and pauses before it.</summary>
    public Task NextAsync(Exception cause, CancellationToken cancellationToken)
    {
        var error = Telemetry.ErrorType(cause);
        telemetry.Retrying(error);
        if (++retries <= LoggedRetries || Elapsed >= nextLog)
        {
            Log.Retrying(logger, telemetry.Table, error, Elapsed.TotalSeconds);
            nextLog = Elapsed + (Elapsed < LongestSilence ? Elapsed : LongestSilence);
        }

        firstTimeout = RetryPolicy.IsServerTimeout(cause) ? firstTimeout ?? timeProvider.GetTimestamp() : null;
        ClearPoolAfter(cause);
        return PauseAsync(cancellationToken);
    }

    /// <summary>Pauses for about twice the last pause. The jitter keeps callers that failed together from returning together.</summary>
    public async Task PauseAsync(CancellationToken cancellationToken)
    {
        firstFailure ??= timeProvider.GetTimestamp();
        limits.OnRetry?.Invoke();
        using var until = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limits.Ended);
        try
        {
            await Task.Delay(pause * (0.5 + Random.Shared.NextDouble()), timeProvider, until.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // The retries ended during the pause. The next attempt is the last.
        }

        pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
    }

    /// <summary>Drops the pool's idle connections after an error that they are likely to share. That is silence, or the outdated plan of a prepared
    /// statement.</summary>
    private void ClearPoolAfter(Exception exception)
    {
        if (exception is NpgsqlException { InnerException: TimeoutException } || RetryPolicy.IsOutdatedPlan(exception))
        {
            dataSource.Clear();
        }
    }

    private TimeSpan Since(long? timestamp) => timestamp is { } at ? timeProvider.GetElapsedTime(at) : TimeSpan.Zero;

    private static bool IsWithin(TimeSpan limit, TimeSpan elapsed) => limit == Timeout.InfiniteTimeSpan || (limit > TimeSpan.Zero && elapsed < limit);
}
