using System.Diagnostics;
using Npgsql;

namespace CrawlData;

/// <summary>One thing that is tried again: since when, and with what pause.</summary>
internal sealed class Retry(TimeSpan limit)
{
    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(1);

    private readonly Stopwatch watch = Stopwatch.StartNew();
    private TimeSpan pause = Shortest;

    public TimeSpan Elapsed => watch.Elapsed;

    public bool HasTime => watch.Elapsed < limit;

    /// <summary>Waits twice as long as the last time, give or take, so that many that failed at once do not come back at once.</summary>
    public async Task PauseAsync(CancellationToken cancellationToken)
    {
        await Task.Delay(pause * (0.5 + Random.Shared.NextDouble()), cancellationToken).ConfigureAwait(false);
        pause = pause * 2 < Longest ? pause * 2 : Longest;
    }

    /// <summary>Whether an error is of the moment: a lost connection, a server that starts, stops or is no longer the primary, too many connections, a deadlock,
    /// a serialization failure.</summary>
    public static bool MayPass(Exception exception) =>
        exception is NpgsqlException { IsTransient: true } or PostgresException { SqlState: PostgresErrorCodes.ReadOnlySqlTransaction };
}
