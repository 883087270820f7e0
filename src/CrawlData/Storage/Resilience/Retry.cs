using System.Diagnostics;
using CrawlData.Diagnostics;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CrawlData;

/// <summary>Tries again what failed for a reason that may pass.</summary>
/// <param name="dataSource">What is worked on.</param>
/// <param name="limit">How long.</param>
/// <param name="telemetry">Told of each time.</param>
/// <param name="logger">Told, too.</param>
internal sealed class Retry(NpgsqlDataSource dataSource, TimeSpan limit, Telemetry telemetry, ILogger logger)
{
    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(1);

    private const string IdleInTransactionSessionTimeout = "25P03";

    /// <summary>Works, and works again after an error that may pass, for as long as there is time.</summary>
    /// <param name="work">Does nothing twice when it is called again after an error.</param>
    /// <param name="cancellationToken">Cancels the pauses.</param>
    public async Task<T> RunAsync<T>(Func<Task<T>> work, CancellationToken cancellationToken)
    {
        var attempts = Begin();
        while (true)
        {
            try
            {
                return await work().ConfigureAwait(false);
            }
            catch (NpgsqlException exception) when (attempts.HasTime && MayPass(exception))
            {
                await attempts.NextAsync(exception, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Begins to count the time.</summary>
    public Attempts Begin() => new(this);

    /// <summary>Whether an error is of the moment: a lost connection, a server that starts, stops or is no longer the primary, none of several that can be had, too many
    /// connections, a deadlock, a serialization failure.</summary>
    private bool MayPass(NpgsqlException exception) => exception switch
    {
        { IsTransient: true } => true,

        // PgBouncer reports its lost servers as a violation of the protocol that ends the session.
        PostgresException { SqlState: PostgresErrorCodes.ProtocolViolation } server => server.InvariantSeverity is "FATAL",
        PostgresException server => server.SqlState is PostgresErrorCodes.ReadOnlySqlTransaction or IdleInTransactionSessionTimeout,
        { InnerException: AggregateException hosts } => hosts.InnerExceptions.OfType<NpgsqlException>().Any(MayPass),

        // What Npgsql says while it remembers that none of several hosts will do; of a single host it has other words, with their cause.
        { InnerException: null } => new NpgsqlConnectionStringBuilder(dataSource.ConnectionString).Host?.Contains(',') is true,
        _ => false,
    };

    /// <summary>One thing that is tried again: since when, and with what pause.</summary>
    public sealed class Attempts(Retry retry)
    {
        private readonly Stopwatch watch = Stopwatch.StartNew();
        private TimeSpan pause = Shortest;

        public TimeSpan Elapsed => watch.Elapsed;

        public bool HasTime => watch.Elapsed < retry.Limit;

        /// <summary>Tells why there is a next attempt, and waits for it.</summary>
        public Task NextAsync(Exception cause, CancellationToken cancellationToken)
        {
            var error = Telemetry.ErrorType(cause);
            retry.Tell(error, watch.Elapsed);
            return PauseAsync(cancellationToken);
        }

        /// <summary>Waits twice as long as the last time, give or take, so that many that failed at once do not come back at once.</summary>
        public async Task PauseAsync(CancellationToken cancellationToken)
        {
            await Task.Delay(pause * (0.5 + Random.Shared.NextDouble()), cancellationToken).ConfigureAwait(false);
            pause = pause * 2 < Longest ? pause * 2 : Longest;
        }
    }

    private TimeSpan Limit => limit;

    private void Tell(string error, TimeSpan elapsed)
    {
        telemetry.Retrying(error);
        Log.Retrying(logger, telemetry.Table, error, elapsed.TotalSeconds);
    }
}
