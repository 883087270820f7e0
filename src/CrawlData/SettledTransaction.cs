using System.Runtime.ExceptionServices;
using Npgsql;
using NpgsqlTypes;
using static CrawlData.Database;

namespace CrawlData;

/// <summary>What was appended in a transaction.</summary>
/// <param name="Ids">The ids of the rows.</param>
/// <param name="TransactionId">The transaction's id; null when it wrote nothing.</param>
/// <param name="ParentId">What the row with the first id belongs to.</param>
/// <param name="Time">The time in the row with the first id, as its column holds it.</param>
internal readonly record struct Appended(IReadOnlyList<long> Ids, ulong? TransactionId, Guid ParentId, DateTime Time);

/// <summary>Runs appends in transactions of their own, each once: what became of a COMMIT that was cut off is asked of the server, and what was not stored is
/// tried again.</summary>
/// <param name="dataSource">The application's data source.</param>
/// <param name="limit">How long to try and to ask.</param>
/// <param name="timeSql">Returns the time in the row <c>@row_id</c> of <c>@parent_id</c>.</param>
/// <param name="table">The table appended to.</param>
internal sealed class SettledTransaction(NpgsqlDataSource dataSource, TimeSpan limit, string timeSql, string table)
{
    // A server in recovery may not have heard of the transaction yet.
    internal const string StatusSql = "select case when pg_is_in_recovery() then 'in recovery' else pg_xact_status(@transaction_id) end";

    // Not one that has committed and waits for its standbys: ended, it would count as stored without them.
    internal const string TerminateSql =
        "select pg_terminate_backend(pid) from pg_stat_activity where backend_xid = @transaction_id::xid and wait_event is distinct from 'SyncRep'";

    // A backend that works on a COMMIT is done by then; one that waits for a client behind a dead connection may wait for hours.
    private static readonly TimeSpan TerminateAfter = TimeSpan.FromMilliseconds(500);

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
    public Task<IReadOnlyList<long>> RunAsync(Func<NpgsqlConnection, NpgsqlTransaction, Task<Appended>> work, CancellationToken cancellationToken) =>
        Retry.RunAsync(limit, () => RunOnceAsync(work, cancellationToken), cancellationToken);

    /// <summary>As <see cref="RunAsync"/>, for work that cannot be done again.</summary>
    public async Task<IReadOnlyList<long>> RunOnceAsync(Func<NpgsqlConnection, NpgsqlTransaction, Task<Appended>> work, CancellationToken cancellationToken)
    {
        var (appended, cut) = await dataSource.UseAsync(null, async connection =>
        {
            var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
            await using (transaction.ConfigureAwait(false))
            {
                var appended = await work(connection, transaction).ConfigureAwait(false);
                cancellationToken.ThrowIfCancellationRequested();
                try
                {
                    await transaction.CommitAsync(CancellationToken.None).ConfigureAwait(false);
                    return (appended, (ExceptionDispatchInfo?)null);
                }
                catch (Exception exception) when (appended.TransactionId is not null && !IsRefusal(exception))
                {
                    return (appended, ExceptionDispatchInfo.Capture(exception));
                }
            }
        }, cancellationToken).ConfigureAwait(false);

        // On a connection of its own, now that this one is given back: the pool may have no other.
        switch (cut is null ? Outcome.Stored : await SettleAsync(appended).ConfigureAwait(false))
        {
            case Outcome.Stored:
                return appended.Ids;
            case Outcome.NotStored:
                cut!.Throw();
                goto default;
            default:
                throw new AppendOutcomeUnknownException(table, appended.Ids, cut!.SourceException);
        }
    }

    // The server's own answer to COMMIT, and the transaction is rolled back. What ends the session, or a cancel, may come after the transaction was committed.
    private static bool IsRefusal(Exception exception) =>
        exception is PostgresException { InvariantSeverity: "ERROR", SqlState: not PostgresErrorCodes.QueryCanceled };

    private async Task<Outcome> SettleAsync(Appended appended)
    {
        var retry = new Retry(limit);
        do
        {
            try
            {
                if (await AskAsync(appended, retry.Elapsed > TerminateAfter).ConfigureAwait(false) is { } stored)
                {
                    return stored ? Outcome.Stored : Outcome.NotStored;
                }
            }
            catch (Exception exception) when (exception is NpgsqlException or ObjectDisposedException)
            {
                // Asked again until the time is up; then the outcome is unknown, which the caller is told.
            }

            await retry.PauseAsync(CancellationToken.None).ConfigureAwait(false);
        }
        while (retry.HasTime);

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
                await connection.ReadListAsync(Command(TerminateSql, TransactionId(appended), null, CancellationToken.None), row => row.GetBoolean(0)).ConfigureAwait(false);
            }

            return null;
        }

        // The transaction is over, and this statement's snapshot sees what it left. By the row and not by the status: a server that was restarted or took over may
        // have given the ids of a transaction that was never written to its log, and of its rows, to another, at another time.
        var row = new Parameters { { "row_id", NpgsqlDbType.Bigint, appended.Ids[0] }, { "parent_id", NpgsqlDbType.Uuid, appended.ParentId } };
        var times = await connection.ReadListAsync(Command(timeSql, row, null, CancellationToken.None), found => found.GetDateTime(0)).ConfigureAwait(false);
        return times is [var time] && time.Ticks == appended.Time.Ticks;
    }, CancellationToken.None);

    private static Parameters TransactionId(Appended appended) => new() { { "transaction_id", NpgsqlDbType.Xid8, appended.TransactionId } };
}
