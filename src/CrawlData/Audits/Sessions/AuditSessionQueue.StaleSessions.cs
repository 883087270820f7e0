using CrawlData.Instrumentation;
using CrawlData.Storage;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Audits;

public sealed partial class AuditSessionQueue
{
    // The ids of lines rise with time, within the length of a transaction. The lines' timestamps do not count: a worker may set them by a clock that is wrong.
    // Where the clock is right, the first condition finds a live session's line without a look at its old ones. "offset 0" makes each look up one session.
    private const string Stale =
        """
        status operator(pg_catalog.=) 'running'
          and not exists (
              select from crawl_logs
              where session_id = audit_sessions.id and timestamp > pg_catalog.now() - @silent_for and id > @mark
              offset 0
          )
          and not exists (select from crawl_logs where session_id = audit_sessions.id and id > @mark offset 0)
          and not exists (
              select from audit_session_claims
              where session_id = audit_sessions.id and heartbeat_at > pg_catalog.statement_timestamp() - @silent_for
              offset 0
          )
        """;

    internal const string TakeMarkSql =
        """
        insert into crawl_log_marks (marked_at, log_id)
        select pg_catalog.clock_timestamp(), coalesce(pg_catalog.max(id), 0) from crawl_logs
        on conflict do nothing
        """;

    internal const string ThinMarksSql =
        $"""
        with marks as (
            select marked_at from crawl_log_marks
        ), superfluous as materialized (
            select marked_at from crawl_log_marks where {NewestRowMarks.IsSuperfluous} for update skip locked
        )
        delete from crawl_log_marks where marked_at = any (array(select marked_at from superfluous))
        """;

    // In a statement of its own: Citus would send it to a node with the marks, which has a sequence of its own.
    internal const string LastIdSql = "select coalesce(pg_catalog.pg_sequence_last_value('crawl_logs_id_seq'), 0)";

    // A mark beyond the sequence is from before the sequence was set back. Lines that came after it have lower ids.
    internal const string MarkSql =
        $"""
        select log_id from crawl_log_marks
        where {NewestRowMarks.IsOldEnough} and log_id <= @drawn_id
        order by marked_at desc
        limit 1
        """;

    internal const string ListStaleSql = $"select {AuditSessionRepository.Columns} from audit_sessions where {Stale} order by created_at limit @limit";

    internal const string LockStaleSql =
        $"""
        select id from audit_sessions
        where {Stale} and {AuditSessionRepository.Readable}
        order by created_at limit @limit
        for no key update skip locked
        """;

    // The locked sessions are checked again, in a second statement. Its snapshot holds the log lines that were committed before the locks.
    internal const string RescueStaleSql =
        $"""
        with stale as materialized (
            select id from audit_sessions where id = any (@ids) and {Stale} and {AuditSessionRepository.Readable}
        ), changed as (
            update audit_sessions
            set status = case when {Counted} < @max_attempts then 'queued' else 'failed' end::audit_session_status_enum,
                error_summary = 'attempt ' || attempts::text || ' was stale: it wrote no log line for ' || @silent_for::text
            from stale where audit_sessions.id = stale.id
            returning audit_sessions.*
        )
        select {AuditSessionRepository.Columns} from changed;
        {WorkQueue.NotifySessions}
        """;

    internal const string ListSilentSql =
        $"""
        select {AuditSessionRepository.Columns} from audit_sessions
        where status operator(pg_catalog.=) 'running'
          and created_at <= pg_catalog.now() - @silent_for
          and not exists (select from crawl_logs where session_id = audit_sessions.id and timestamp > pg_catalog.now() - @silent_for offset 0)
          and not exists (
              select from audit_session_claims where session_id = audit_sessions.id and heartbeat_at > pg_catalog.now() - @silent_for offset 0
          )
        order by created_at limit @limit
        """;

    private static readonly NewestRowMarks Marks = new(TakeMarkSql, ThinMarksSql, LastIdSql, MarkSql);

    /// <summary>Lists stale sessions, oldest first. They are running, and for a while their log has got no line, and they had no heartbeat.</summary>
    /// <remarks>It reads from the primary. On a standby that lags behind, the sessions of healthy workers could look stale. It relies on the marks that
    /// <see cref="RescueStaleAsync"/> takes: a session is listed once it has written no line since a mark that is old enough.</remarks>
    /// <param name="silentFor">The time without a log line or heartbeat, by the database's clock. From 1 µs to 36,500 days.</param>
    /// <param name="limit">The most sessions, 1 or more.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <returns>The stale sessions, oldest first.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The time or the limit is out of range.</exception>
    public async Task<IReadOnlyList<AuditSession>> ListStaleAsync(
        TimeSpan silentFor, int limit = 100, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        NewestRowMarks.RequireStale(silentFor, limit);
        return await Marks.ListStaleAsync(
            dataSource, ListStaleSql, silentFor, limit, AuditSessionRepository.Map, new PassedOverRows(telemetry, log), transaction, cancellationToken)
            .ConfigureAwait(false);
    }

    /// <summary>Lists running sessions that look stale by the times that are stored: of the newest log line, and of the last heartbeat. Oldest
    /// first.</summary>
    /// <remarks>It needs no marks, unlike <see cref="ListStaleAsync"/>, and works where nothing calls <see cref="RescueStaleAsync"/>. But workers may set the
    /// times of log lines, and their clocks may be wrong. So it is for an operator to look at, and no proof.</remarks>
    /// <param name="silentFor">The time without a sign of life, by the database's clock. From 1 µs to 36,500 days.</param>
    /// <param name="limit">The most sessions, 1 or more.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <returns>The silent sessions, oldest first.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The time or the limit is out of range.</exception>
    public Task<IReadOnlyList<AuditSession>> ListSilentAsync(
        TimeSpan silentFor, int limit = 100, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        NewestRowMarks.RequireStale(silentFor, limit);
        return dataSource.ListSilentAsync(
            ListSilentSql, silentFor, limit, AuditSessionRepository.Map, new PassedOverRows(telemetry, log), transaction, cancellationToken);
    }

    /// <summary>Rescues stale sessions: running → queued or, after the last attempt, running → failed.</summary>
    /// <remarks>
    /// <para>Each call takes a mark: which log line is the newest at this time of the database's clock. A session is stale when it has written no line since a
    /// mark that is as old as <paramref name="silentFor"/>, or older. The timestamps of lines do not count, so a worker's clock may be wrong. Call it
    /// regularly: a dead worker is noticed after <paramref name="silentFor"/>, a tenth of it, and the time between two calls. The first call in a database
    /// finds none.</para>
    /// <para>A line counts from the moment when its id is drawn. A worker that appends in long transactions needs a <paramref name="silentFor"/> longer than
    /// these.</para>
    /// <para>A worker may be only slow. When its session was rescued, its changes are refused. Rescues may run concurrently. Each session is rescued
    /// once.</para>
    /// <para>A session whose log gets a line while the rescue runs is not rescued. It relies on the session's row lock, and on a check of the log after the
    /// lock. In a transaction at REPEATABLE READ or above, that check does not see lines that were committed after the transaction's snapshot.</para>
    /// </remarks>
    /// <param name="silentFor">The time without a log line or heartbeat, by the database's clock. From 1 µs to 36,500 days. Choose more than the longest pause
    /// between two lines or heartbeats of a healthy worker.</param>
    /// <param name="maxAttempts">The most attempts, 1 or more. A stale session that has had this many attempts fails. Released attempts do not
    /// count.</param>
    /// <param name="limit">The most sessions, 1 or more.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    /// <returns>The rescued sessions as they are now, oldest first.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The time or a number is out of range.</exception>
    public async Task<IReadOnlyList<AuditSession>> RescueStaleAsync(
        TimeSpan silentFor, int maxAttempts, int limit = 100, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        NewestRowMarks.RequireStale(silentFor, limit);
        ArgumentRange.RequireAtLeastOne(maxAttempts);
        Connections.ThrowIfAmbient(transaction);
        var own = new Parameters
        {
            { "max_attempts", NpgsqlDbType.Integer, maxAttempts },
            { "notify", NpgsqlDbType.Boolean, notify },
        };
        var rescued = await telemetry.RunAsync(
            "rescue",
            0,
            () => Marks.ChangeStaleAsync(
                dataSource, LockStaleSql, null, RescueStaleSql, silentFor, limit, own, AuditSessionRepository.Map, transaction, cancellationToken))
            .ConfigureAwait(false);
        rescued.Sort(static (one, other) => one.CreatedAt.CompareTo(other.CreatedAt));
        foreach (var session in rescued)
        {
            var status = session.Status.ToLabel();
            telemetry.Rescued(status);
            Log.SessionRescued(log, session.Id, session.Attempts, status);
        }

        return rescued;
    }
}
