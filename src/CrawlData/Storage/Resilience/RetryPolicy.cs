using CrawlData.Instrumentation;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CrawlData.Storage;

/// <summary>Says which errors are transient, and for how long work is retried.</summary>
/// <param name="dataSource">The data source that the work uses.</param>
/// <param name="limits">How long work is retried.</param>
/// <param name="timeProvider">Measures the time, and the pauses.</param>
/// <param name="telemetry">Counts the retries.</param>
/// <param name="logger">Logs the retries.</param>
internal sealed class RetryPolicy(NpgsqlDataSource dataSource, RetryLimits limits, TimeProvider timeProvider, Telemetry telemetry, ILogger logger)
{
    private const string IdleInTransactionSessionTimeout = "25P03";
    private const string TransactionTimeout = "25P04";

    /// <summary>Makes a policy with one limit.</summary>
    public RetryPolicy(NpgsqlDataSource dataSource, TimeSpan limit, TimeProvider timeProvider, Telemetry telemetry, ILogger logger)
        : this(dataSource, new RetryLimits(limit), timeProvider, telemetry, logger)
    {
    }

    /// <summary>Runs work, and runs it again after a transient error while there is time.</summary>
    /// <param name="work">The work. It must be safe to repeat after an error.</param>
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
            catch (NpgsqlException exception) when (attempts.HasTimeAfter(exception) && IsTransient(exception))
            {
                await attempts.NextAsync(exception, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Makes a policy with other limits.</summary>
    public RetryPolicy With(RetryLimits other) => new(dataSource, other, timeProvider, telemetry, logger);

    /// <summary>Begins the attempts at one piece of work.</summary>
    /// <param name="rows">The number of rows that it concerns.</param>
    public RetryAttempts Begin(int rows = 1) => new(dataSource, limits.For(rows), timeProvider, telemetry, logger);

    /// <summary>Whether an error is transient.</summary>
    /// <remarks>Transient are a lost connection, too many connections, a deadlock, and a serialization failure. So is a server that starts, stops, or is no
    /// longer the primary, and a list of hosts without a usable one. So are the server's time-outs for statements and transactions, an outdated
    /// plan, a missing partition, and a node that Citus lost.</remarks>
    public bool IsTransient(NpgsqlException exception) => exception switch
    {
        { IsTransient: true } => true,

        // PgBouncer reports its lost servers as a violation of the protocol that ends the session.
        PostgresException { SqlState: PostgresErrorCodes.ProtocolViolation } server => server.InvariantSeverity is "FATAL",
        PostgresException server => server.SqlState
            is PostgresErrorCodes.ReadOnlySqlTransaction
            or PostgresErrorCodes.QueryCanceled
            or IdleInTransactionSessionTimeout
            or TransactionTimeout
            || IsOutdatedPlan(server)
            || IsLostNode(server)
            || ServerErrors.IsMissingPartition(server),
        { InnerException: AggregateException hosts } => hosts.InnerExceptions.OfType<NpgsqlException>().Any(IsTransient),

        // Npgsql throws this without a cause while it remembers that no host of several is usable.
        { InnerException: null } => new NpgsqlConnectionStringBuilder(dataSource.ConnectionString).Host?.Contains(',') is true,
        _ => false,
    };

    /// <summary>Whether the server ended a statement or a transaction that took too long, or too much memory. Less work may succeed.</summary>
    public static bool IsServerTimeout(Exception exception) => exception is PostgresException
    {
        SqlState: PostgresErrorCodes.QueryCanceled or PostgresErrorCodes.OutOfMemory or TransactionTimeout,
    };

    /// <summary>Whether a prepared statement's plan is outdated, because a migration changed a column's type. The routine is the field to tell it by: other
    /// errors share its SQLSTATE.</summary>
    public static bool IsOutdatedPlan(Exception exception) =>
        exception is PostgresException { SqlState: PostgresErrorCodes.FeatureNotSupported, Routine: "RevalidateCachedQuery" };

    // Citus reports a lost connection to a node as an internal error, unless the node has said why. The routine is the field to tell it by: an internal error
    // of one server is no loss.
    private static bool IsLostNode(PostgresException exception) => exception is
    {
        SqlState: PostgresErrorCodes.InternalError,
        Routine: "ReportResultError" or "ReportConnectionError" or "MarkRemoteTransactionFailed",
    };
}
