using CrawlData.Instrumentation;
using CrawlData.Storage;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Audits;

public sealed partial class AuditSessionQueue
{
    // now(), because no index serves a condition on clock_timestamp(). In a long transaction now() is old, and finds fewer sessions.
    private const string Stale =
        """
        status = 'running'
          and not exists (select from crawl_logs where crawl_logs.session_id = audit_sessions.id and crawl_logs.timestamp > now() - @silent_for)
        """;

    internal const string ListStaleSql = $"select {AuditSessionRepository.Columns} from audit_sessions where {Stale} order by created_at limit @limit";

    internal const string LockStaleSql = $"select id from audit_sessions where {Stale} order by created_at limit @limit for no key update skip locked";

    // The locked sessions are checked again, in a second statement. Its snapshot holds the log lines that were committed before the locks.
    internal const string RescueStaleSql =
        $"""
        update audit_sessions
        set status = case when attempts < @max_attempts then 'queued' else 'failed' end::audit_session_status_enum,
            error_summary = 'attempt ' || attempts || ' was stale: it wrote no log line for ' || @silent_for
        where id = any (@ids) and {Stale}
        returning {AuditSessionRepository.Columns}
        """;

    /// <summary>Lists stale sessions, oldest first. They are running, and their log has no line for a while.</summary>
    /// <remarks>It reads from the primary. On a standby that lags behind, the sessions of healthy workers could look stale.</remarks>
    /// <param name="silentFor">The time without a log line, by the database's clock and the lines' timestamps. From 1 µs to 36,500 days.</param>
    /// <param name="limit">The most sessions, 1 or more.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <returns>The stale sessions, oldest first.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The time or the limit is out of range.</exception>
    public async Task<IReadOnlyList<AuditSession>> ListStaleAsync(
        TimeSpan silentFor, int limit = 100, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        var parameters = StaleParameters(silentFor, limit);
        return await dataSource.QueryAsync(ListStaleSql, parameters, AuditSessionRepository.Map, transaction, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Rescues stale sessions: running → queued or, after the last attempt, running → failed.</summary>
    /// <remarks>
    /// <para>A worker may be only slow. When its session was rescued, its changes are refused. Rescues may run concurrently. Each session is rescued
    /// once.</para>
    /// <para>A session whose log gets a line while the rescue runs is not rescued. It relies on the session's row lock, and on a check of the log after the
    /// lock. In a transaction at REPEATABLE READ or above, that check does not see lines that were committed after the transaction's snapshot.</para>
    /// </remarks>
    /// <param name="silentFor">The time without a log line, by the database's clock and the lines' timestamps. From 1 µs to 36,500 days. Choose more than the
    /// longest pause between two lines of a healthy worker.</param>
    /// <param name="maxAttempts">The most attempts, 1 or more. A stale session that has had this many attempts fails.</param>
    /// <param name="limit">The most sessions, 1 or more.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    /// <returns>The rescued sessions as they are now, oldest first.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The time or a number is out of range.</exception>
    public async Task<IReadOnlyList<AuditSession>> RescueStaleAsync(
        TimeSpan silentFor, int maxAttempts, int limit = 100, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        var parameters = StaleParameters(silentFor, limit);
        ArgumentRange.RequireAtLeastOne(maxAttempts);
        Connections.ThrowIfAmbient(transaction);
        var rescued = await telemetry.RunAsync("rescue", 0, () => dataSource.UseAsync(
            transaction,
            connection => transaction is null
                ? connection.InTransactionAsync(own => RescueAsync(connection, own), cancellationToken)
                : RescueAsync(connection, transaction),
            cancellationToken)).ConfigureAwait(false);
        rescued.Sort(static (one, other) => one.CreatedAt.CompareTo(other.CreatedAt));
        foreach (var session in rescued)
        {
            var status = session.Status.ToLabel();
            telemetry.Rescued(status);
            Log.SessionRescued(log, session.Id, session.Attempts, status);
        }

        return rescued;

        async Task<List<AuditSession>> RescueAsync(NpgsqlConnection connection, NpgsqlTransaction inTransaction)
        {
            var locked = await connection.QueryAsync(LockStaleSql, parameters, row => row.GetGuid(0), inTransaction, cancellationToken).ConfigureAwait(false);
            if (locked.Count == 0)
            {
                return [];
            }

            var rescue = new Parameters
            {
                { "ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, locked.ToArray() },
                { "silent_for", NpgsqlDbType.Interval, silentFor },
                { "max_attempts", NpgsqlDbType.Integer, maxAttempts },
            };
            return await connection.QueryAsync(RescueStaleSql, rescue, AuditSessionRepository.Map, inTransaction, cancellationToken).ConfigureAwait(false);
        }
    }

    private static Parameters StaleParameters(TimeSpan silentFor, int limit) => new()
    {
        { "silent_for", NpgsqlDbType.Interval, ArgumentRange.Require(silentFor, ArgumentRange.ShortestDuration, ArgumentRange.LongestDuration) },
        { "limit", NpgsqlDbType.Integer, ArgumentRange.RequireAtLeastOne(limit) },
    };
}
