using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using CrawlData.Instrumentation;
using Microsoft.Extensions.Logging;
using Npgsql;
using Append = System.Func<
    Npgsql.NpgsqlConnection, Npgsql.NpgsqlTransaction, System.Threading.Tasks.ValueTask<CrawlData.Storage.AppendedRows>>;
using BeforeCommit = System.Func<Npgsql.NpgsqlConnection, Npgsql.NpgsqlTransaction, CrawlData.Storage.AppendedRows, System.Threading.Tasks.Task>;

namespace CrawlData.Storage;

/// <summary>Runs appends in transactions of their own, so that each is stored once. It attempts, commits, verifies a commit whose connection was lost, and
/// retries after a transient error.</summary>
/// <param name="dataSource">The application's data source.</param>
/// <param name="retry">Which errors are transient, and for how long an append is retried.</param>
/// <param name="verifier">Verifies a COMMIT whose answer was lost.</param>
/// <param name="preparation">Prepares the work's statements. The work asks it.</param>
/// <param name="telemetry">Counts unknown outcomes.</param>
/// <param name="logger">Logs verified and unknown outcomes.</param>
internal sealed class AppendTransaction(
    NpgsqlDataSource dataSource, RetryPolicy retry, CommitVerifier verifier, StatementPreparation preparation, Telemetry telemetry, ILogger logger)
{
    /// <summary>Calls the work in a transaction: commits when it returns, rolls back when it throws.</summary>
    /// <param name="work">Appends on the connection. It is called again after a transient error has rolled back its transaction.</param>
    /// <param name="rows">The number of rows; 1 when it is not known beforehand.</param>
    /// <param name="beforeCommit">Runs before each COMMIT of rows; may be null. When it throws, the transaction is rolled back.</param>
    /// <param name="repeatable">Whether the work can be called again. If not, the first error is thrown.</param>
    /// <param name="cancellationToken">Cancels up to the COMMIT. A cancelled append is not stored, now or later.</param>
    /// <returns>The rows.</returns>
    /// <exception cref="AppendOutcomeUnknownException">The connection was lost during COMMIT, and the outcome could not be verified; or the server stopped
    /// waiting for its standbys.</exception>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<AppendedRows> RunAsync(
        Append work, int rows, BeforeCommit? beforeCommit, bool repeatable, CancellationToken cancellationToken)
    {
        // Made at the first error.
        RetryAttempts? attempts = null;
        var (isUnprepared, isAskedAnew) = (false, false);
        var lostBackends = new LostBackends(telemetry.Table);
        while (true)
        {
            Attempt attempt;
            try
            {
                attempt = await AttemptAsync(work, lostBackends, beforeCommit, cancellationToken).ConfigureAwait(false);
            }
            catch (PostgresException exception) when (repeatable && !isUnprepared && StatementPreparation.IsLost(exception))
            {
                preparation.Stop();
                isUnprepared = true;
                continue;
            }
            catch (PostgresException exception) when (repeatable && !isAskedAnew && CrawlDistribution.IsOutdated(exception))
            {
                CrawlDistribution.Forget(dataSource);
                isAskedAnew = true;
                continue;
            }
            catch (NpgsqlException exception)
                when (repeatable && (attempts ??= retry.Begin(rows)).HasTimeAfter(exception) && retry.IsTransient(exception))
            {
                await attempts.NextAsync(exception, cancellationToken).ConfigureAwait(false);
                continue;
            }

            if (!attempt.IsConfirmed)
            {
                throw OutcomeUnknown(attempt.Rows, "they are stored on this server, and its standbys have not confirmed them", cause: null);
            }

            // The commit is verified on another connection. This one went back to the pool first, because the pool may hold only one.
            if (attempt.Lost is not { } lost || await IsCommittedAsync(attempt.Rows, lost.SourceException).ConfigureAwait(false))
            {
                return attempt.Rows;
            }

            // The transaction was rolled back, so it may be repeated. But one server alone would refuse the COMMIT again.
            attempts ??= retry.Begin(rows);
            var isRefused = lost.SourceException is PostgresException refusal && !retry.IsTransient(refusal) && !attempt.Rows.Transaction!.Value.IsOnCitus;
            if (!repeatable || isRefused || !attempts.HasTime)
            {
                lost.Throw();
            }

            await attempts.NextAsync(lost.SourceException, cancellationToken).ConfigureAwait(false);
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<Attempt> AttemptAsync(
        Append work, LostBackends lostBackends, BeforeCommit? beforeCommit, CancellationToken cancellationToken)
    {
        var connection = await dataSource.OpenAsync(cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            await lostBackends.TerminateAsync(connection, cancellationToken).ConfigureAwait(false);
            var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
            await using (transaction.ConfigureAwait(false))
            {
                var backend = connection.ProcessID;
                AppendedRows rows;
                try
                {
                    rows = await work(connection, transaction).ConfigureAwait(false);
                    if (rows.Transaction is { IsOnCitus: true, IsFlushed: false, WalPosition: var position } && rows.Ids is not [])
                    {
                        await Citus.FlushAsync(connection, transaction, position).ConfigureAwait(false);
                    }
                }
                catch (NpgsqlException exception) when (LostBackends.IsLoss(exception, connection))
                {
                    lostBackends.Add(backend);
                    throw;
                }

                if (rows.Transaction is { } identity)
                {
                    preparation.Note(backend, identity);
                }

                cancellationToken.ThrowIfCancellationRequested();
                if (beforeCommit is not null && rows.Ids is not [])
                {
                    await beforeCommit(connection, transaction, rows).ConfigureAwait(false);
                }

                return await CommitAsync(connection, transaction, rows).ConfigureAwait(false);
            }
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private static async ValueTask<Attempt> CommitAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, AppendedRows rows)
    {
        if (rows.Ids is [])
        {
            // Rolled back on disposal. Nothing waits for a COMMIT that writes nothing.
            return new Attempt(rows, Lost: null, IsConfirmed: true);
        }

        if (rows.Transaction is { HidesWarnings: true })
        {
            await connection.ExecuteAsync(ConfirmedCommit.ShowWarningsSql, null, transaction, CancellationToken.None).ConfigureAwait(false);
        }

        try
        {
            return new Attempt(rows, Lost: null, await transaction.CommitConfirmedAsync().ConfigureAwait(false));
        }
        catch (Exception exception) when (rows.Transaction is not null && !IsRefusal(exception))
        {
            return new Attempt(rows, ExceptionDispatchInfo.Capture(exception), IsConfirmed: true);
        }
    }

    // The server refused the COMMIT and rolled back. An error that ends the session, or a cancel, may arrive after the transaction was committed. So may an
    // error of Citus, which lost a node during the COMMIT: it has the SQLSTATE of the node, of a connection (08), or of an internal error (XX).
    private static bool IsRefusal(Exception exception) =>
        exception is PostgresException { InvariantSeverity: "ERROR" } server && server.SqlState[..2] is not ("08" or "57" or "58" or "XX");

    private async Task<bool> IsCommittedAsync(AppendedRows rows, Exception cause)
    {
        var outcome = await verifier.VerifyAsync(rows).ConfigureAwait(false);
        Log.CommitVerified(logger, telemetry.Table, Telemetry.ErrorType(cause), outcome switch
        {
            CommitOutcome.Committed => "committed",
            CommitOutcome.RolledBack => "rolled back",
            _ => "unknown",
        });
        return outcome == CommitOutcome.Unknown
            ? throw OutcomeUnknown(rows, "the connection was lost during COMMIT, and the outcome could not be verified", cause)
            : outcome == CommitOutcome.Committed;
    }

    private AppendOutcomeUnknownException OutcomeUnknown(AppendedRows rows, string reason, Exception? cause)
    {
        telemetry.OutcomeUnknown();
        Log.OutcomeUnknown(logger, telemetry.Table, rows.Ids.Count, rows.Ids[0], rows.Ids[^1], reason);
        return new AppendOutcomeUnknownException(telemetry.Table, rows.ParentId, rows.Ids, reason, cause);
    }

    /// <summary>An attempt that reached its COMMIT.</summary>
    /// <param name="Rows">The rows that it appended.</param>
    /// <param name="Lost">The error that hid the outcome; null when the COMMIT was acknowledged.</param>
    /// <param name="IsConfirmed">Whether the synchronous standbys confirmed the COMMIT, as far as the server answered.</param>
    private readonly record struct Attempt(AppendedRows Rows, ExceptionDispatchInfo? Lost, bool IsConfirmed);
}
