using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Storage;

/// <summary>Verifies an in-doubt transaction: one whose connection was lost during COMMIT.</summary>
/// <param name="dataSource">The application's data source.</param>
/// <param name="retry">For how long the server is asked.</param>
/// <param name="rowTimeSql">Returns the time in the row <c>@row_id</c> of <c>@parent_id</c>.</param>
internal sealed class CommitVerifier(NpgsqlDataSource dataSource, RetryPolicy retry, string rowTimeSql)
{
    // A server in recovery may not have replayed the transaction yet.
    internal const string StatusSql = "select case when pg_is_in_recovery() then 'in recovery' else pg_xact_status(@transaction_id) end";

    // Terminates only a backend that waits for its lost client. A backend that commits may wait for its standbys. If it were terminated, the transaction would
    // count as committed without them. The start is compared too, because a restarted server may have given the id to another transaction.
    internal const string TerminateSql =
        """
        select pg_terminate_backend(pid) from pg_stat_activity
        where backend_xid = @transaction_id::xid and xact_start = @transaction_start and state = 'idle in transaction'
        """;

    // By then a backend that works on a COMMIT is done. A backend that waits for a client behind a dead connection may wait for hours.
    private static readonly TimeSpan TerminateAfter = TimeSpan.FromMilliseconds(500);

    /// <summary>Asks the server for the outcome, until it is known or the time is up.</summary>
    public async Task<CommitOutcome> VerifyAsync(AppendedRows appended)
    {
        var attempts = retry.Begin();
        do
        {
            try
            {
                var outcome = await AskAsync(appended, appended.Transaction!.Value, attempts.Elapsed > TerminateAfter).ConfigureAwait(false);
                if (outcome != CommitOutcome.Unknown)
                {
                    return outcome;
                }
            }
            catch (Exception exception) when (exception is NpgsqlException or ObjectDisposedException)
            {
                // The server is asked again until the time is up. Then the outcome is unknown, and the caller gets that.
            }

            await attempts.PauseAsync(CancellationToken.None).ConfigureAwait(false);
        }
        while (attempts.HasTime);

        return CommitOutcome.Unknown;
    }

    private Task<CommitOutcome> AskAsync(AppendedRows appended, TransactionIdentity identity, bool terminate) =>
        dataSource.UseAsync(null, async connection =>
        {
            string? status;
            try
            {
                status = await connection.QuerySingleAsync(
                    StatusSql, TransactionId(identity), row => row.GetNullable<string>(0), null, CancellationToken.None).ConfigureAwait(false);
            }
            catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.InvalidParameterValue)
            {
                // The id is in this server's future. It was promoted, and the old primary is lost with the transaction.
                return CommitOutcome.RolledBack;
            }

            if (status is "in progress" && terminate)
            {
                var parameters = TransactionId(identity);
                parameters.Add("transaction_start", NpgsqlDbType.TimestampTz, identity.Start);
                await connection.QueryAsync(TerminateSql, parameters, row => row.GetBoolean(0), null, CancellationToken.None).ConfigureAwait(false);
            }

            if (status is "in progress" or "in recovery")
            {
                return CommitOutcome.Unknown;
            }

            // The transaction has ended, and this statement's snapshot sees its rows. The row decides, and not the status: the transaction may never have
            // reached the WAL of a server that was restarted or promoted. Such a server gives the same transaction id, and the same row ids, again.
            var rowParameters = new Parameters
            {
                { "row_id", NpgsqlDbType.Bigint, appended.Ids[0] },
                { "parent_id", NpgsqlDbType.Uuid, appended.ParentId },
            };
            var times = await connection.QueryAsync(rowTimeSql, rowParameters, row => row.GetDateTime(0), null, CancellationToken.None).ConfigureAwait(false);
            return times is [var time] && time.Ticks == appended.Time.Ticks ? CommitOutcome.Committed : CommitOutcome.RolledBack;
        }, CancellationToken.None);

    private static Parameters TransactionId(TransactionIdentity identity) => new() { { "transaction_id", NpgsqlDbType.Xid8, identity.Id } };
}
