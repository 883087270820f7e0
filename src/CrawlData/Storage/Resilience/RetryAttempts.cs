using CrawlData.Instrumentation;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CrawlData.Storage;

/// <summary>The attempts at one piece of work. It measures the time since the first failure, and pauses between the attempts. An attempt that hangs until its
/// time-out so leaves time for the next.</summary>
internal sealed class RetryAttempts(NpgsqlDataSource dataSource, TimeSpan limit, TimeProvider timeProvider, Telemetry telemetry, ILogger logger)
{
    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(1);

    private long? firstFailure;
    private TimeSpan pause = ShortestPause;

    /// <summary>The time since the first failure; zero before it.</summary>
    public TimeSpan Elapsed => firstFailure is { } failure ? timeProvider.GetElapsedTime(failure) : TimeSpan.Zero;

    /// <summary>Whether there is time for another attempt.</summary>
    public bool HasTime => limit > TimeSpan.Zero && Elapsed < limit;

    /// <summary>Logs and counts a retry with its cause, and pauses before it.</summary>
    public Task NextAsync(Exception cause, CancellationToken cancellationToken)
    {
        var error = Telemetry.ErrorType(cause);
        telemetry.Retrying(error);
        Log.Retrying(logger, telemetry.Table, error, Elapsed.TotalSeconds);
        ClearPoolAfter(cause);
        return PauseAsync(cancellationToken);
    }

    /// <summary>Pauses for about twice the last pause. The jitter keeps callers that failed together from returning together.</summary>
    public async Task PauseAsync(CancellationToken cancellationToken)
    {
        firstFailure ??= timeProvider.GetTimestamp();
        await Task.Delay(pause * (0.5 + Random.Shared.NextDouble()), timeProvider, cancellationToken).ConfigureAwait(false);
        pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
    }

    /// <summary>Drops the pool's idle connections after an error that they are likely to share. That is silence, or the outdated plan of a prepared
    /// statement.</summary>
    public void ClearPoolAfter(Exception exception)
    {
        if (exception is NpgsqlException { InnerException: TimeoutException } || RetryPolicy.IsOutdatedPlan(exception))
        {
            dataSource.Clear();
        }
    }
}
