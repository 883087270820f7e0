using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Storage;

/// <summary>Verifies an in-doubt transaction: one whose connection was lost during COMMIT.</summary>
/// <param name="dataSource">The application's data source.</param>
/// <param name="retry">For how long the server is asked.</param>
/// <param name="lockParentSql">Takes a lock of the parent <c>@parent_id</c> that waits for the transactions that append to it.</param>
/// <param name="rowIsOfTransactionSql">Returns whether the row <c>@row_id</c> of <c>@parent_id</c> has the time <c>@transaction_start</c>; no row when there is
/// no such row.</param>
internal sealed class CommitVerifier(NpgsqlDataSource dataSource, RetryPolicy retry, string lockParentSql, string rowIsOfTransactionSql)
{
    // pg_last_wal_replay_lsn() is where the recovery ended from which this server started; null when it started without one.
    internal const string StatusSql =
        $"""
        select case when pg_catalog.pg_is_in_recovery() then 'in recovery' else pg_catalog.pg_xact_status(@transaction_id) end,
               pg_catalog.pg_postmaster_start_time() = @server_start,
               coalesce(pg_catalog.pg_last_wal_replay_lsn() < @wal_position, false),
               {Citus.IsInstalled}
        """;

    // Terminates only a backend that waits for its lost client. A backend that commits may wait for its standbys. If it were terminated, the transaction would
    // count as committed without them. Unlike the state, the wait event is there with track_activities off.
    internal const string TerminateSql =
        """
        select pg_catalog.pg_terminate_backend(pid) from pg_catalog.pg_stat_activity
        where pid = @backend_id and backend_xid = @transaction_id::xid and wait_event = 'ClientRead'
        """;

    internal const string ClusterSql = "select system_identifier from pg_catalog.pg_control_system()";

    // It writes WAL, so its COMMIT waits for the standbys. Theirs is the WAL before it, too.
    internal const string WriteWalSql = "select pg_catalog.pg_logical_emit_message(true, 'crawldata', '')";

    // By then a backend that works on a COMMIT is done. A backend that waits for a client behind a dead connection may wait for hours.
    private static readonly TimeSpan TerminateAfter = TimeSpan.FromMilliseconds(500);

    /// <summary>Asks the server for the outcome, until it is known or the time is up.</summary>
    /// <param name="appended">The rows.</param>
    /// <param name="cluster">The cluster of an append of an earlier process; null for an append of this one.</param>
    public async Task<CommitOutcome> VerifyAsync(AppendedRows appended, long? cluster = null)
    {
        var attempts = retry.Begin();
        do
        {
            try
            {
                var outcome = await AskAsync(appended, appended.Transaction!.Value, cluster, attempts.Elapsed > TerminateAfter).ConfigureAwait(false);
                if (outcome is { } known)
                {
                    return known;
                }
            }
            catch (Exception exception) when (exception is NpgsqlException or ObjectDisposedException)
            {
                // Asked again until the time is up. Then the outcome is unknown, and the caller gets that.
                await attempts.NextAsync(exception, CancellationToken.None).ConfigureAwait(false);
                continue;
            }

            await attempts.PauseAsync(CancellationToken.None).ConfigureAwait(false);
        }
        while (attempts.HasTime);

        return CommitOutcome.Unknown;
    }

    /// <summary>Asks once.</summary>
    /// <returns>The outcome; null when it is not decided yet.</returns>
    private Task<CommitOutcome?> AskAsync(AppendedRows appended, TransactionIdentity identity, long? cluster, bool terminate) =>
        dataSource.UseAsync<CommitOutcome?>(null, async connection =>
        {
            if (cluster is not null && cluster != await ReadClusterAsync(connection).ConfigureAwait(false))
            {
                // The transaction's id means nothing here. The rows may have come with a dump: a row with the transaction's time says so.
                return await IsRowOfTransactionAsync(connection, appended, identity).ConfigureAwait(false) ? CommitOutcome.Committed : CommitOutcome.Unknown;
            }

            var parameters = new Parameters
            {
                { "transaction_id", NpgsqlDbType.Xid8, identity.Id },
                { "server_start", NpgsqlDbType.TimestampTz, identity.ServerStart },
                { "wal_position", NpgsqlDbType.PgLsn, identity.WalPosition },
            };
            (string? Status, bool IsSameStart, bool IsWalLost, bool IsOnCitus) answer;
            try
            {
                answer = await connection.QuerySingleAsync(
                    StatusSql,
                    parameters,
                    row => (row.GetNullable<string>(0), row.GetBoolean(1), row.GetBoolean(2), row.GetBoolean(3)),
                    null,
                    CancellationToken.None).ConfigureAwait(false);
            }
            catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.InvalidParameterValue)
            {
                // The id is in this server's future: the transaction's WAL was lost, with the server's memory or with the old primary.
                answer = ("aborted", false, true, await IsOnCitusAsync(connection).ConfigureAwait(false));
            }

            switch (answer.Status)
            {
                case "in recovery":
                    return null;
                case "in progress" when answer.IsSameStart:
                    if (terminate)
                    {
                        await TerminateAsync(connection, identity).ConfigureAwait(false);
                    }

                    return null;
                case var _ when answer.IsOnCitus:
                    return await AskNodeAsync(connection, appended, identity, answer.IsSameStart, answer.Status == "committed").ConfigureAwait(false);

                // After a restart, a transaction in progress is another one with the same id. An id is given out again only when its transaction left nothing.
                case "in progress" or "aborted":
                    return CommitOutcome.RolledBack;
                case "committed" when !answer.IsSameStart && answer.IsWalLost:
                    return CommitOutcome.RolledBack;
                case "committed" when answer.IsSameStart || await IsRowOfTransactionAsync(connection, appended, identity).ConfigureAwait(false):
                    return await IsDurableAsync(connection).ConfigureAwait(false) ? CommitOutcome.Committed : CommitOutcome.Unknown;

                // The id is so old that the server has forgotten it. The row says whether it was committed, if it is still there.
                case null when await IsRowOfTransactionAsync(connection, appended, identity).ConfigureAwait(false):
                    return CommitOutcome.Committed;

                // It may be another transaction's.
                default:
                    return CommitOutcome.Unknown;
            }
        }, CancellationToken.None);

    private static Task<bool> IsOnCitusAsync(NpgsqlConnection connection) =>
        connection.QuerySingleAsync(Citus.IsInstalledSql, null, row => row.GetBoolean(0), null, CancellationToken.None);

    /// <summary>Asks the node of Citus that has the first row. Its part of the transaction may be committed after the coordinator's, or be lost. It holds the
    /// parent's lock until it has ended.</summary>
    private async Task<CommitOutcome> AskNodeAsync(
        NpgsqlConnection connection, AppendedRows appended, TransactionIdentity identity, bool isSameStart, bool isCommitted)
    {
        var parent = new Parameters { { "parent_id", NpgsqlDbType.Uuid, appended.ParentId } };
        var parents = await connection.QueryAsync(lockParentSql, parent, row => row.GetGuid(0), null, CancellationToken.None).ConfigureAwait(false);
        switch (await ReadRowAsync(connection, appended, identity).ConfigureAwait(false))
        {
            // Only the server's own time tells two transactions apart that got one id. No id is given out twice before a restart.
            case { } isOfTransaction when appended.HasTransactionTime ? isOfTransaction : isSameStart:
                return await IsDurableAsync(connection).ConfigureAwait(false) ? CommitOutcome.Committed : CommitOutcome.Unknown;
            case { } when isSameStart || !appended.HasTransactionTime:
                return CommitOutcome.Unknown;

            // It was deleted with its parent.
            case null when isCommitted && parents.Count == 0:
                return CommitOutcome.Committed;
            default:
                return CommitOutcome.RolledBack;
        }
    }

    /// <summary>Reads which cluster the server has. The ids of its transactions mean nothing in another one, such as one that a dump was restored to.</summary>
    public static Task<long> ReadClusterAsync(NpgsqlConnection connection, NpgsqlTransaction? transaction = null) =>
        connection.QuerySingleAsync(ClusterSql, null, row => row.GetInt64(0), transaction, CancellationToken.None);

    private static async Task TerminateAsync(NpgsqlConnection connection, TransactionIdentity identity)
    {
        var parameters = new Parameters
        {
            { "backend_id", NpgsqlDbType.Integer, identity.BackendId },
            { "transaction_id", NpgsqlDbType.Xid8, identity.Id },
        };
        await connection.QueryAsync(TerminateSql, parameters, row => row.GetBoolean(0), null, CancellationToken.None).ConfigureAwait(false);
    }

    /// <summary>Compares a row with the transaction, where the id may have been given out twice. Only the server's own time tells two transactions apart that
    /// appended the same.</summary>
    private async Task<bool> IsRowOfTransactionAsync(NpgsqlConnection connection, AppendedRows appended, TransactionIdentity identity)
    {
        return appended.HasTransactionTime && await ReadRowAsync(connection, appended, identity).ConfigureAwait(false) is true;
    }

    /// <summary>Looks for the first row.</summary>
    /// <returns>Whether it has the transaction's time; null when it is not there.</returns>
    private async Task<bool?> ReadRowAsync(NpgsqlConnection connection, AppendedRows appended, TransactionIdentity identity)
    {
        var parameters = new Parameters
        {
            { "row_id", NpgsqlDbType.Bigint, appended.Ids[0] },
            { "parent_id", NpgsqlDbType.Uuid, appended.ParentId },
            { "transaction_start", NpgsqlDbType.TimestampTz, identity.Start },
        };
        var rows = await connection.QueryAsync(rowIsOfTransactionSql, parameters, row => row.GetBoolean(0), null, CancellationToken.None).ConfigureAwait(false);
        return rows is [var isOfTransaction] ? isOfTransaction : null;
    }

    /// <summary>Commits something small. The server may have restarted while the COMMIT waited for its standbys: a row that is visible here may then be missing
    /// there.</summary>
    private static async Task<bool> IsDurableAsync(NpgsqlConnection connection)
    {
        var transaction = await connection.BeginTransactionAsync(CancellationToken.None).ConfigureAwait(false);
        await using (transaction.ConfigureAwait(false))
        {
            await connection.ExecuteAsync(ConfirmedCommit.ShowWarningsSql, null, transaction, CancellationToken.None).ConfigureAwait(false);
            await connection.ExecuteAsync(WriteWalSql, null, transaction, CancellationToken.None).ConfigureAwait(false);
            return await transaction.CommitConfirmedAsync().ConfigureAwait(false);
        }
    }
}
