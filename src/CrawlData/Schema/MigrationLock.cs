using CrawlData.Instrumentation;
using CrawlData.Storage;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CrawlData.Schema;

/// <summary>The session-level advisory lock that lets one instance migrate a database at a time.</summary>
/// <param name="connection">Holds the lock, and runs the scripts. So a killed process loses both together.</param>
/// <param name="dataSource">The connection's data source. Its pool is cleared when the lock cannot be released.</param>
/// <param name="timeout">The longest wait for another instance.</param>
/// <param name="timeProvider">Measures the wait, and the pauses between attempts.</param>
/// <param name="logger">Logs the wait.</param>
internal sealed class MigrationLock(
    NpgsqlConnection connection, NpgsqlDataSource dataSource, TimeSpan timeout, TimeProvider timeProvider, ILogger logger) : IAsyncDisposable
{
    internal const string TryLockSql = "select pg_catalog.pg_try_advisory_lock(4860209034541326708)";

    internal const string UnlockSql = "select pg_catalog.pg_advisory_unlock(4860209034541326708); reset client_connection_check_interval";

    // The lock for psql. The server holds it to the end of the script's transaction.
    internal const string TransactionLockSql = "select pg_catalog.pg_advisory_xact_lock(4860209034541326708)";

    // Every role may see the process ids and the roles of others. The row has the halves of the key. A prepared transaction has no process.
    internal const string HoldersSql =
        """
        select locks.pid, activity.usename::text
        from pg_catalog.pg_locks as locks
        left join pg_catalog.pg_stat_activity as activity on activity.pid = locks.pid
        where locks.locktype = 'advisory'::text
          and ((locks.classid::bigint << 32) | locks.objid::bigint) = 4860209034541326708::bigint
          and locks.database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())
          and locks.granted
        order by locks.pid
        """;

    internal const string CheckClientSql = "set client_connection_check_interval = '1s'";

    private static readonly TimeSpan ShortestPoll = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LongestPoll = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan LogInterval = TimeSpan.FromSeconds(10);

    /// <summary>Takes the lock. It polls: a session that waits inside the server holds a snapshot, and CREATE INDEX CONCURRENTLY waits for that.</summary>
    /// <exception cref="MigrationLockTimeoutException">Another session held the lock for the whole time-out.</exception>
    public async Task AcquireAsync(CancellationToken cancellationToken)
    {
        await CheckForLostClientAsync(cancellationToken).ConfigureAwait(false);
        var started = timeProvider.GetTimestamp();
        TimeSpan? logged = null;
        for (var poll = ShortestPoll; ; poll = poll * 1.5 < LongestPoll ? poll * 1.5 : LongestPoll)
        {
            if (await connection.QuerySingleAsync(TryLockSql, null, row => row.GetBoolean(0), null, cancellationToken).ConfigureAwait(false))
            {
                return;
            }

            var waited = timeProvider.GetElapsedTime(started);
            if (timeout != Timeout.InfiniteTimeSpan && waited >= timeout)
            {
                var (holders, processIds) = await ReadHoldersAsync(cancellationToken).ConfigureAwait(false);
                throw new MigrationLockTimeoutException(waited, holders, processIds);
            }

            if (logged is null || waited - logged >= LogInterval)
            {
                logged = waited;
                Log.WaitingForMigration(logger, waited.TotalSeconds, (await ReadHoldersAsync(cancellationToken).ConfigureAwait(false)).Description);
            }

            await Task.Delay(poll, timeProvider, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Releases the lock. The pool may not reset connections, so it is released by a statement.</summary>
    public async ValueTask DisposeAsync()
    {
        try
        {
            await connection.ExecuteAsync(UnlockSql, null, null, CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is NpgsqlException or InvalidOperationException)
        {
            // The session is broken, or a late cancel request cancelled this statement. A session with the lock must not stay in the pool. The caller gets
            // the earlier error.
            dataSource.Clear();
        }
    }

    private async Task<(string Description, IReadOnlyList<int> ProcessIds)> ReadHoldersAsync(CancellationToken cancellationToken)
    {
        var holders = await connection.QueryAsync(
            HoldersSql, null, row => (Id: row.GetNullable<int?>(0), Role: row.GetNullable<string>(1)), null, cancellationToken).ConfigureAwait(false);
        var described = holders.Select(holder => holder.Id is { } id ? $"process {id} of role {holder.Role}" : "a prepared transaction");
        return (
            holders.Count > 0 ? string.Join(" and ", described) : "a session that has just ended",
            [.. holders.Select(holder => holder.Id).OfType<int>()]);
    }

    private async Task CheckForLostClientAsync(CancellationToken cancellationToken)
    {
        try
        {
            await connection.ExecuteAsync(CheckClientSql, null, null, cancellationToken).ConfigureAwait(false);
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.InvalidParameterValue)
        {
            // The server's platform cannot check. The statement of a killed process then runs to its end.
        }
    }
}
