using System.Runtime.ExceptionServices;
using CrawlData.Diagnostics;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;
using static CrawlData.Database;

namespace CrawlData;

/// <summary>Runs appends in transactions of their own, each once: what became of a COMMIT that was cut off is asked of the server, and what was not stored is
/// tried again.</summary>
/// <param name="dataSource">The application's data source.</param>
/// <param name="limit">How long to try and to ask.</param>
/// <param name="timeSql">Returns the time in the row <c>@row_id</c> of <c>@parent_id</c>.</param>
/// <param name="telemetry">Of the table appended to.</param>
/// <param name="logger">Told what was tried again, and settled.</param>
internal sealed class SettledTransaction(NpgsqlDataSource dataSource, TimeSpan limit, string timeSql, Telemetry telemetry, ILogger logger)
{
    // A server in recovery may not have heard of the transaction yet.
    internal const string StatusSql = "select case when pg_is_in_recovery() then 'in recovery' else pg_xact_status(@transaction_id) end";

    // One that waits for a client that is not there any more, and not one that commits and waits for its standbys: ended, it would count as stored without them. By its
    // start too, since a server that was restarted may have given its id to somebody else's.
    internal const string TerminateSql =
        """
        select pg_terminate_backend(pid) from pg_stat_activity
        where backend_xid = @transaction_id::xid and xact_start = @transaction_start and state = 'idle in transaction'
        """;

    // A backend that works on a COMMIT is done by then; one that waits for a client behind a dead connection may wait for hours.
    private static readonly TimeSpan TerminateAfter = TimeSpan.FromMilliseconds(500);

    private readonly Retry retry = new(dataSource, limit, telemetry, logger);

    private enum Outcome
    {
        Stored,
        NotStored,
        Unknown,
    }

    /// <summary>Works in a transaction and commits it.</summary>
    /// <param name="work">Appends on the connection. Called again when its transaction was not committed, for a reason that may pass.</param>
    /// <param name="cancellationToken">Cancels up to the COMMIT: then nothing is stored, now or later.</param>
    /// <exception cref="AppendOutcomeUnknownException">The COMMIT was cut off, and the server could not be asked.</exception>
    public async Task<IReadOnlyList<long>> RunAsync(Func<NpgsqlConnection, NpgsqlTransaction, Task<Appended>> work, CancellationToken cancellationToken)
    {
        var attempts = retry.Begin();
        while (true)
        {
            var (ids, notStored) = await retry.RunAsync(() => AttemptAsync(work, cancellationToken), cancellationToken).ConfigureAwait(false);
            if (notStored is null)
            {
                return ids;
            }

            if (!attempts.HasTime)
            {
                notStored.Throw();
            }

            await attempts.NextAsync(notStored.SourceException, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>As <see cref="RunAsync"/>, for work that cannot be done again.</summary>
    public async Task<IReadOnlyList<long>> RunOnceAsync(Func<NpgsqlConnection, NpgsqlTransaction, Task<Appended>> work, CancellationToken cancellationToken)
    {
        var (ids, notStored) = await AttemptAsync(work, cancellationToken).ConfigureAwait(false);
        notStored?.Throw();
        return ids;
    }

    /// <summary>Works once.</summary>
    /// <returns>The ids, or what cut off a COMMIT that left nothing stored.</returns>
    private async Task<(IReadOnlyList<long> Ids, ExceptionDispatchInfo? NotStored)> AttemptAsync(
        Func<NpgsqlConnection, NpgsqlTransaction, Task<Appended>> work, CancellationToken cancellationToken)
    {
        var (appended, cut, unconfirmed) = await dataSource.UseAsync(null, async connection =>
        {
            var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
            await using (transaction.ConfigureAwait(false))
            {
                var appended = await work(connection, transaction).ConfigureAwait(false);
                cancellationToken.ThrowIfCancellationRequested();
                var (cut, unconfirmed) = await CommitAsync(connection, transaction, appended).ConfigureAwait(false);
                return (appended, cut, unconfirmed);
            }
        }, cancellationToken).ConfigureAwait(false);
        if (unconfirmed)
        {
            throw OutcomeUnknown(appended, "they are stored on this server, and its standbys have not confirmed them", cut?.SourceException);
        }

        if (cut is null)
        {
            return (appended.Ids, null);
        }

        // On a connection of its own, now that this one is given back: the pool may have no other.
        var outcome = await SettleAsync(appended).ConfigureAwait(false);
        Log.CommitSettled(logger, telemetry.Table, Telemetry.ErrorType(cut.SourceException), outcome switch { Outcome.Stored => "stored", Outcome.NotStored => "not stored", _ => "nothing" });
        return outcome switch
        {
            Outcome.Stored => (appended.Ids, null),
            Outcome.NotStored => ([], cut),
            _ => throw OutcomeUnknown(appended, "the connection was lost in the COMMIT, and the server could not be asked", cut.SourceException),
        };
    }

    private AppendOutcomeUnknownException OutcomeUnknown(Appended appended, string reason, Exception? cause)
    {
        telemetry.OutcomeUnknown();
        Log.OutcomeUnknown(logger, telemetry.Table, appended.Ids.Count, appended.Ids[0], appended.Ids[^1], reason);
        return new AppendOutcomeUnknownException(telemetry.Table, appended.ParentId, appended.Ids, reason, cause);
    }

    /// <summary>Commits.</summary>
    /// <returns>What cut it off; and whether the server gave up waiting for its standbys, as it does when the command time-out passes, or somebody cancels.</returns>
    private static async Task<(ExceptionDispatchInfo? Cut, bool Unconfirmed)> CommitAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, Appended appended)
    {
        var unconfirmed = false;
        NoticeEventHandler listen = (_, notice) => unconfirmed |= notice.Notice.Routine == "SyncRepWaitForLSN";
        connection.Notice += listen;
        try
        {
            await transaction.CommitAsync(CancellationToken.None).ConfigureAwait(false);
            return (null, unconfirmed);
        }
        catch (Exception exception) when (appended.Transaction is not null && !IsRefusal(exception))
        {
            return (ExceptionDispatchInfo.Capture(exception), unconfirmed);
        }
        finally
        {
            connection.Notice -= listen;
        }
    }

    // The server's own answer to COMMIT, and the transaction is rolled back. What ends the session, or a cancel, may come after the transaction was committed.
    private static bool IsRefusal(Exception exception) =>
        exception is PostgresException { InvariantSeverity: "ERROR", SqlState: not PostgresErrorCodes.QueryCanceled };

    private async Task<Outcome> SettleAsync(Appended appended)
    {
        var attempts = retry.Begin();
        do
        {
            try
            {
                if (await AskAsync(appended, attempts.Elapsed > TerminateAfter).ConfigureAwait(false) is { } stored)
                {
                    return stored ? Outcome.Stored : Outcome.NotStored;
                }
            }
            catch (Exception exception) when (exception is NpgsqlException or ObjectDisposedException)
            {
                // Asked again until the time is up; then the outcome is unknown, which the caller is told.
            }

            await attempts.PauseAsync(CancellationToken.None).ConfigureAwait(false);
        }
        while (attempts.HasTime);

        return Outcome.Unknown;
    }

    /// <summary>Whether the rows are stored; null while nobody can say.</summary>
    private Task<bool?> AskAsync(Appended appended, bool terminate) => dataSource.UseAsync<bool?>(null, async connection =>
    {
        string? status;
        try
        {
            var ask = Command(StatusSql, TransactionId(appended), null, CancellationToken.None);
            status = (await connection.ReadListAsync(ask, row => row.GetNullable<string>(0)).ConfigureAwait(false))[0];
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.InvalidParameterValue)
        {
            // An id of the future: this server took over from one that was lost with the transaction.
            return false;
        }

        if (status is "in progress" or "in recovery")
        {
            if (terminate && status is "in progress")
            {
                var parameters = TransactionId(appended);
                parameters.Add("transaction_start", NpgsqlDbType.TimestampTz, appended.Transaction!.Value.Start);
                await connection.ReadListAsync(Command(TerminateSql, parameters, null, CancellationToken.None), row => row.GetBoolean(0)).ConfigureAwait(false);
            }

            return null;
        }

        // The transaction is over, and this statement's snapshot sees what it left. By the row and not by the status: a server that was restarted or took over may
        // have given the ids of a transaction that was never written to its log, and of its rows, to another, at another time.
        var row = new Parameters { { "row_id", NpgsqlDbType.Bigint, appended.Ids[0] }, { "parent_id", NpgsqlDbType.Uuid, appended.ParentId } };
        var times = await connection.ReadListAsync(Command(timeSql, row, null, CancellationToken.None), found => found.GetDateTime(0)).ConfigureAwait(false);
        return times is [var time] && time.Ticks == appended.Time.Ticks;
    }, CancellationToken.None);

    private static Parameters TransactionId(Appended appended) => new() { { "transaction_id", NpgsqlDbType.Xid8, appended.Transaction!.Value.Id } };
}
