using CrawlData.Instrumentation;
using Microsoft.Extensions.Logging;

namespace CrawlData.Storage;

/// <summary>The attempts at one piece of work. It measures their time, and pauses between them.</summary>
internal sealed class RetryAttempts(TimeSpan limit, TimeProvider timeProvider, Telemetry telemetry, ILogger logger)
{
    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(1);

    private readonly long started = timeProvider.GetTimestamp();
    private TimeSpan pause = ShortestPause;

    public TimeSpan Elapsed => timeProvider.GetElapsedTime(started);

    public bool HasTime => Elapsed < limit;

    /// <summary>Logs and counts a retry with its cause, and pauses before it.</summary>
    public Task NextAsync(Exception cause, CancellationToken cancellationToken)
    {
        var error = Telemetry.ErrorType(cause);
        telemetry.Retrying(error);
        Log.Retrying(logger, telemetry.Table, error, Elapsed.TotalSeconds);
        return PauseAsync(cancellationToken);
    }

    /// <summary>Pauses for about twice the last pause. The jitter keeps callers that failed together from returning together.</summary>
    public async Task PauseAsync(CancellationToken cancellationToken)
    {
        await Task.Delay(pause * (0.5 + Random.Shared.NextDouble()), timeProvider, cancellationToken).ConfigureAwait(false);
        pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
    }
}
