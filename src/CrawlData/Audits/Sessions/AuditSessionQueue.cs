using CrawlData.Instrumentation;
using CrawlData.Storage;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Audits;

/// <summary>The queue of audit sessions: claims, ends, requeues, and rescues of stale sessions. It works on the table <c>audit_sessions</c>. Instances are
/// thread-safe.</summary>
/// <remarks>
/// <para><b>Fencing token.</b> Each claim or start begins an attempt, and <see cref="AuditSession.Attempts"/> is its number. The worker passes this number
/// with every change. A change is refused when the session is at another attempt. So a worker whose session was rescued cannot overwrite its successor's
/// changes. It relies on the session's row lock, and on the number of attempts, which only rises.</para>
/// <para><b>Stale sessions.</b> The start of an attempt writes a line into <c>crawl_logs</c>. The worker writes more lines while it works, or calls
/// <see cref="HeartbeatAsync"/>. A running session is stale when it has got neither for a time that the caller chooses, by the server's clock: its worker is
/// dead, or slow.</para>
/// <para><b>Unreadable sessions.</b> A session with an enum label that this version does not know, or with a time of creation that
/// <see cref="DateTimeOffset"/> cannot hold, is neither claimed nor rescued. Other versions may know it. A change of such a session changes nothing, and throws
/// <see cref="UnreadableRowException"/>.</para>
/// <para><b>Transactions.</b> Methods take the caller's transaction. Without one, each call is a transaction of its own. In a transaction at REPEATABLE READ or
/// above, the loser of a race gets the server's SQLSTATE 40001.</para>
/// <para><b>Errors.</b> Errors of the server and of the connection are thrown as <see cref="NpgsqlException"/>. Nothing is retried.</para>
/// </remarks>
/// <param name="dataSource">The application's data source. The application disposes it.</param>
/// <param name="logger">Logs claims and rescues; may be null.</param>
/// <param name="notify">Whether requeues, releases, retries and rescues notify workers that listen. The notification is sent by the commit. A transaction that
/// notifies cannot be prepared (two-phase commit).</param>
/// <param name="timeProvider">Measures the pauses of <see cref="StreamClaimsAsync"/>; <see cref="TimeProvider.System"/> when null.</param>
/// <example>
/// <code>
/// while (await queue.ClaimNextAsync() is { } session)
/// {
///     await AuditAsync(session);
///     await queue.CompleteAsync(session.Id, session.Attempts);
/// }
/// </code>
/// </example>
public sealed partial class AuditSessionQueue(
    NpgsqlDataSource dataSource, ILogger<AuditSessionQueue>? logger = null, bool notify = false, TimeProvider? timeProvider = null)
{
    // The start of an attempt writes a line into the session's log. The attempt is stale when no line follows for long enough.
    private const string LogAttempt =
        """
        insert into crawl_logs (session_id, level, event_type, message, details, timestamp)
        select id, 'info', case attempts when 1 then 'navigation' else 'retry' end::event_type_enum, 'attempt ' || attempts::text || ' begins',
               pg_catalog.jsonb_build_object('attempt', attempts), pg_catalog.clock_timestamp()
        from changed
        where status operator(pg_catalog.=) 'running'
        """;

    // The number of attempts that count: those that were not handed back.
    private const string Counted =
        "audit_sessions.attempts - coalesce((select released from audit_session_claims where session_id = audit_sessions.id), 0)";

    // A session whose attempts cannot rise is passed over. Otherwise the oldest one would fail every claim with 22003. So is a session that cannot be read: its
    // claim would be committed, and nobody would have it.
    // Not FOR UPDATE: it conflicts with the lock of a foreign key's check, which the insert of a log line takes. Then skip locked would skip the session.
    internal const string ClaimNextSql =
        $"""
        with oldest as materialized (
            select id from audit_sessions
            where status operator(pg_catalog.=) 'queued' and attempts < 2147483647 and {AuditSessionRepository.Readable}
              and not exists (
                  select from audit_session_claims
                  where session_id = audit_sessions.id and not_before > pg_catalog.clock_timestamp()
                  offset 0
              )
            order by created_at limit 1 for no key update skip locked
        ), changed as (
            update audit_sessions set status = 'running', attempts = attempts + 1 from oldest where audit_sessions.id = oldest.id returning audit_sessions.*
        ), logged as (
            {LogAttempt}
        )
        select {AuditSessionRepository.Columns} from changed
        """;

    // The row is locked and read first. So the loser of a race sees the row that the winner committed, and not its own older snapshot.
    internal const string TransitionSql =
        $"""
        with standing as materialized (
            select * from audit_sessions where id = @id for no key update
        ), changed as (
            update audit_sessions
            set status = @to::audit_session_status_enum,
                attempts = audit_sessions.attempts + case @to when 'running' then 1 else 0 end,
                error_summary = case when @to in ('queued', 'running') then audit_sessions.error_summary else @error_summary end
            from standing
            where audit_sessions.id = @id
              and standing.status operator(pg_catalog.=) any (@from::audit_session_status_enum[])
              and standing.attempts = coalesce(@attempt, standing.attempts)
              and (@to <> 'running' or standing.attempts < 2147483647)
              and exists (select from standing where {AuditSessionRepository.Readable})
            returning audit_sessions.*
        ), logged as (
            {LogAttempt}
        )
        select {AuditSessionRepository.Columns}, true as applied from changed
        union all
        select {AuditSessionRepository.Columns}, false as applied from standing where not exists (select from changed);
        {WorkQueue.NotifySessions}
        """;

    // The number of released attempts is read before the row is locked. Only the attempt that is checked under the lock can release itself.
    internal const string HandBackSql =
        $"""
        with standing as materialized (
            select * from audit_sessions where id = @id for no key update
        ), changed as (
            update audit_sessions
            set status = case when @max_attempts is null or {Counted} < @max_attempts then 'queued' else 'failed' end::audit_session_status_enum,
                error_summary = coalesce(@error_summary, audit_sessions.error_summary)
            from standing
            where audit_sessions.id = @id and standing.status operator(pg_catalog.=) 'running' and standing.attempts = @attempt
              and exists (select from standing where {AuditSessionRepository.Readable})
            returning audit_sessions.*
        ), noted as (
            insert into audit_session_claims as claims (session_id, not_before, released)
            select id, pg_catalog.clock_timestamp() + @delay, @released from changed
            on conflict (session_id) do update set not_before = excluded.not_before, released = claims.released + excluded.released
        )
        select {AuditSessionRepository.Columns}, true as applied from changed
        union all
        select {AuditSessionRepository.Columns}, false as applied from standing where not exists (select from changed);
        {WorkQueue.NotifySessions}
        """;

    // The lock is that of a foreign key's check. It waits for a session's deletion, and for nothing else.
    internal const string HeartbeatSql =
        """
        with running as materialized (
            select id, attempts from audit_sessions
            where id = any (@ids) and status operator(pg_catalog.=) 'running'
            order by id
            for key share
        ), held as materialized (
            select running.id from running join unnest(@ids, @attempts) as claims (id, attempts) using (id, attempts)
        ), noted as (
            insert into audit_session_claims (session_id, heartbeat_at)
            select id, pg_catalog.clock_timestamp() from held
            on conflict (session_id) do update set heartbeat_at = excluded.heartbeat_at
        )
        select id from held
        """;

    internal const string RecordFindingsSql =
        $"""
        with standing as materialized (
            select * from audit_sessions where id = @id for no key update
        ), changed as (
            update audit_sessions
            set final_url = coalesce(@final_url, audit_sessions.final_url),
                pdp_url = coalesce(@pdp_url, audit_sessions.pdp_url),
                low_confidence = coalesce(@low_confidence, audit_sessions.low_confidence)
            from standing
            where audit_sessions.id = @id and standing.attempts = @attempt and standing.status operator(pg_catalog.<>) 'queued'
              and exists (select from standing where {AuditSessionRepository.Readable})
            returning audit_sessions.*
        )
        select {AuditSessionRepository.Columns}, true as applied from changed
        union all
        select {AuditSessionRepository.Columns}, false as applied from standing where not exists (select from changed)
        """;

    private readonly NpgsqlDataSource dataSource = dataSource ?? throw new ArgumentNullException(nameof(dataSource));
    private readonly Telemetry telemetry = new(dataSource, AuditSessionRepository.Table);
    private readonly ILogger log = logger.Guarded();

    /// <summary>Claims the oldest queued session: queued → running. It begins an attempt.</summary>
    /// <remarks>Concurrent claims get different sessions, and do not wait for each other. It relies on <c>for no key update skip locked</c>. In the caller's
    /// transaction, the claim takes effect when that transaction commits.</remarks>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    /// <returns>The session; null when no session is queued. Its <see cref="AuditSession.Attempts"/> is the fencing token.</returns>
    /// <example>
    /// <code>
    /// while (await queue.ClaimNextAsync() is { } session)
    /// {
    ///     await AuditAsync(session);
    ///     await queue.CompleteAsync(session.Id, session.Attempts);
    /// }
    /// </code>
    /// </example>
    public async Task<AuditSession?> ClaimNextAsync(NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        Connections.ThrowIfAmbient(transaction);
        return await dataSource.UseAsync(
            transaction, connection => ClaimAsync(connection, transaction, cancellationToken), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Claims one session after another, each when the caller asks for the next: queued → running. While no session can be claimed, it
    /// waits.</summary>
    /// <remarks>With <see cref="ClaimOptions.Listen"/>, a session is claimed as soon as its transaction has notified. Otherwise the next poll finds it. A poll
    /// also finds a session whose delay has passed. An error ends the stream. Call again after it.</remarks>
    /// <param name="options">How to wait; the defaults when null.</param>
    /// <param name="cancellationToken">Ends the stream with <see cref="OperationCanceledException"/>. A claim that is under way is not cancelled: its session
    /// is returned first.</param>
    /// <returns>The sessions. Each <see cref="AuditSession.Attempts"/> is a fencing token.</returns>
    /// <exception cref="InvalidOperationException">The options say to listen, and the data source multiplexes.</exception>
    /// <example>
    /// <code>
    /// await foreach (var session in queue.StreamClaimsAsync(new ClaimOptions { Listen = true }, stoppingToken))
    /// {
    ///     await AuditAsync(session);
    ///     await queue.CompleteAsync(session.Id, session.Attempts);
    /// }
    /// </code>
    /// </example>
    public IAsyncEnumerable<AuditSession> StreamClaimsAsync(ClaimOptions? options = null, CancellationToken cancellationToken = default)
    {
        Connections.ThrowIfAmbient(null);
        return WorkQueue.StreamClaimsAsync(
            dataSource,
            WorkQueue.Sessions,
            connection => ClaimAsync(connection, null, CancellationToken.None),
            options ?? ClaimOptions.Default,
            timeProvider ?? TimeProvider.System,
            log,
            cancellationToken);
    }

    /// <summary>Starts a given session: queued → running. It begins an attempt. To start the oldest queued session, call
    /// <see cref="ClaimNextAsync"/>.</summary>
    /// <remarks>
    /// <para>Of two transitions that race, one is applied. The other is refused, and returns the session that the first one committed. It relies on the
    /// session's row lock, which the one statement takes first.</para>
    /// <para>A refusal is not thrown, and a missing session is not either. Check <see cref="Transition{T}.Outcome"/>, or call
    /// <see cref="Transition{T}.EnsureApplied"/>.</para>
    /// </remarks>
    /// <param name="id">The session.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    /// <returns>The outcome, and the session. The session is null when it does not exist.</returns>
    public Task<Transition<AuditSession>> StartAsync(Guid id, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        TransitionAsync("start", id, null, [AuditSessionStatus.Queued], AuditSessionStatus.Running, null, transaction, cancellationToken);

    /// <summary>Completes a session: running → completed. It clears <see cref="AuditSession.ErrorSummary"/>.</summary>
    /// <inheritdoc cref="StartAsync" path="/remarks"/>
    /// <param name="id">The session.</param>
    /// <param name="attempt">The caller's attempt. The call is refused when the session is at another.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    /// <returns>The outcome, and the session. The session is null when it does not exist.</returns>
    public Task<Transition<AuditSession>> CompleteAsync(
        Guid id, int attempt, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        TransitionAsync("complete", id, attempt, [AuditSessionStatus.Running], AuditSessionStatus.Completed, null, transaction, cancellationToken);

    /// <summary>Ends a session that has a part of its results: running → partial.</summary>
    /// <inheritdoc cref="StartAsync" path="/remarks"/>
    /// <param name="id">The session.</param>
    /// <param name="attempt">The caller's attempt. The call is refused when the session is at another.</param>
    /// <param name="errorSummary">The missing results, and the reason. Pass text from a crawled page through <see cref="CrawledText.Repair"/> first.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    /// <returns>The outcome, and the session. The session is null when it does not exist.</returns>
    /// <exception cref="InvalidValueException">The summary holds U+0000 or a lone surrogate.</exception>
    public Task<Transition<AuditSession>> CompletePartiallyAsync(
        Guid id, int attempt, string errorSummary, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        CrawledText.Require(errorSummary, "error_summary");
        return TransitionAsync(
            "complete partially", id, attempt, [AuditSessionStatus.Running], AuditSessionStatus.Partial, errorSummary, transaction, cancellationToken);
    }

    /// <summary>Fails a session: running → failed.</summary>
    /// <inheritdoc cref="StartAsync" path="/remarks"/>
    /// <param name="id">The session.</param>
    /// <param name="attempt">The caller's attempt. The call is refused when the session is at another.</param>
    /// <param name="errorSummary">The reason. Pass text from a crawled page through <see cref="CrawledText.Repair"/> first.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    /// <returns>The outcome, and the session. The session is null when it does not exist.</returns>
    /// <exception cref="InvalidValueException">The summary holds U+0000 or a lone surrogate.</exception>
    public Task<Transition<AuditSession>> FailAsync(
        Guid id, int attempt, string errorSummary, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        CrawledText.Require(errorSummary, "error_summary");
        return TransitionAsync("fail", id, attempt, [AuditSessionStatus.Running], AuditSessionStatus.Failed, errorSummary, transaction, cancellationToken);
    }

    /// <summary>Queues a session again, for another attempt: failed or partial → queued. It keeps its place in the queue, which is ordered by time of
    /// creation.</summary>
    /// <inheritdoc cref="StartAsync" path="/remarks"/>
    /// <param name="id">The session.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    /// <returns>The outcome, and the session. The session is null when it does not exist.</returns>
    public Task<Transition<AuditSession>> RequeueAsync(Guid id, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        TransitionAsync(
            "requeue", id, null, [AuditSessionStatus.Failed, AuditSessionStatus.Partial], AuditSessionStatus.Queued, null, transaction, cancellationToken);

    /// <summary>Hands a session back, so that another worker can claim it at once: running → queued. The attempt does not count as a failure.</summary>
    /// <remarks>It is for a worker that stops. The number of attempts stays, because it is the fencing token. But the attempt does not count against the most
    /// attempts of <see cref="RetryAsync"/> and <see cref="RescueStaleAsync"/>. The session keeps its place in the queue.</remarks>
    /// <param name="id">The session.</param>
    /// <param name="attempt">The caller's attempt. The call is refused when the session is at another.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    /// <returns>The outcome, and the session. The session is null when it does not exist.</returns>
    public Task<Transition<AuditSession>> ReleaseAsync(
        Guid id, int attempt, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        HandBackAsync("release", id, attempt, null, TimeSpan.Zero, null, transaction, cancellationToken);

    /// <summary>Ends an attempt that failed, and queues its session for another one after a delay: running → queued or, after the last attempt, running →
    /// failed.</summary>
    /// <remarks>The delay is stored with the change, in one statement. A process that dies afterwards loses neither. Until the delay has passed, by the
    /// database's clock, claims leave the session alone. <see cref="StartAsync"/> does not look at it.</remarks>
    /// <param name="id">The session.</param>
    /// <param name="attempt">The caller's attempt. The call is refused when the session is at another.</param>
    /// <param name="errorSummary">The reason. Pass text from a crawled page through <see cref="CrawledText.Repair"/> first.</param>
    /// <param name="delay">The delay, 0 to 36,500 days.</param>
    /// <param name="maxAttempts">The most attempts, 1 or more. A session that has had this many attempts fails. Released attempts do not count.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    /// <returns>The outcome, and the session. The session is null when it does not exist.</returns>
    /// <exception cref="InvalidValueException">The summary holds U+0000 or a lone surrogate.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The delay or the number is out of range.</exception>
    public Task<Transition<AuditSession>> RetryAsync(
        Guid id,
        int attempt,
        string errorSummary,
        TimeSpan delay,
        int maxAttempts,
        NpgsqlTransaction? transaction = null,
        CancellationToken cancellationToken = default)
    {
        CrawledText.Require(errorSummary, "error_summary");
        ArgumentRange.Require(delay, TimeSpan.Zero, ArgumentRange.LongestDuration);
        ArgumentRange.RequireAtLeastOne(maxAttempts);
        return HandBackAsync("retry", id, attempt, errorSummary, delay, maxAttempts, transaction, cancellationToken);
    }

    /// <summary>Records a sign of life for attempts that write no log lines, in one statement for all of a process.</summary>
    /// <remarks>Call it at least twice in the time that <see cref="RescueStaleAsync"/> calls stale.</remarks>
    /// <param name="claims">The sessions, each with the caller's attempt. Without any it does nothing.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    /// <returns>The sessions that are lost: they are not running at that attempt any more, or do not exist. Further changes of them are refused.</returns>
    public async Task<IReadOnlyList<Guid>> HeartbeatAsync(
        IEnumerable<(Guid Id, int Attempt)> claims, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(claims);
        var held = claims.ToList();
        if (held.Count == 0)
        {
            return [];
        }

        Connections.ThrowIfAmbient(transaction);
        var parameters = new Parameters
        {
            { "ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, held.Select(claim => claim.Id).ToArray() },
            { "attempts", NpgsqlDbType.Array | NpgsqlDbType.Integer, held.Select(claim => claim.Attempt).ToArray() },
        };
        var alive = await dataSource.QueryAsync(HeartbeatSql, parameters, row => row.GetGuid(0), transaction, cancellationToken).ConfigureAwait(false);
        return [.. held.Select(claim => claim.Id).Except(alive)];
    }

    /// <summary>Records an attempt's findings in its session, while the attempt runs or after it ended. The call is refused while the session is
    /// queued.</summary>
    /// <inheritdoc cref="StartAsync" path="/remarks"/>
    /// <param name="id">The session.</param>
    /// <param name="attempt">The caller's attempt. The call is refused when the session is at another.</param>
    /// <param name="findings">The findings. A null property leaves its column as it is.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    /// <returns>The outcome, and the session. The session is null when it does not exist.</returns>
    public Task<Transition<AuditSession>> RecordFindingsAsync(
        Guid id, int attempt, AuditFindings findings, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(findings);
        var parameters = new Parameters
        {
            { "id", NpgsqlDbType.Uuid, id },
            { "attempt", NpgsqlDbType.Integer, attempt },
            { "final_url", NpgsqlDbType.Text, findings.FinalUrl },
            { "pdp_url", NpgsqlDbType.Text, findings.PdpUrl },
            { "low_confidence", NpgsqlDbType.Boolean, findings.LowConfidence },
        };
        AuditSessionStatus[] allowed =
            [AuditSessionStatus.Running, AuditSessionStatus.Completed, AuditSessionStatus.Failed, AuditSessionStatus.Partial];
        return TransitionAsync(Rule("record findings", allowed.ToLabels()!), id, RecordFindingsSql, parameters, transaction, cancellationToken);
    }

    private async Task<AuditSession?> ClaimAsync(NpgsqlConnection connection, NpgsqlTransaction? transaction, CancellationToken cancellationToken)
    {
        var sessions = await telemetry.RunAsync(
            "claim",
            0,
            () => connection.QueryAsync(ClaimNextSql, null, AuditSessionRepository.Map, transaction, cancellationToken)).ConfigureAwait(false);
        telemetry.Claimed(sessions.Count > 0);
        if (sessions is not [var session])
        {
            return null;
        }

        Log.SessionClaimed(log, session.Id, session.Attempts);
        return session;
    }

    private Task<Transition<AuditSession>> HandBackAsync(
        string name,
        Guid id,
        int attempt,
        string? errorSummary,
        TimeSpan delay,
        int? maxAttempts,
        NpgsqlTransaction? transaction,
        CancellationToken cancellationToken)
    {
        var parameters = new Parameters
        {
            { "id", NpgsqlDbType.Uuid, id },
            { "attempt", NpgsqlDbType.Integer, attempt },
            { "error_summary", NpgsqlDbType.Text, errorSummary },
            { "delay", NpgsqlDbType.Interval, delay },
            { "max_attempts", NpgsqlDbType.Integer, maxAttempts },
            { "released", NpgsqlDbType.Integer, maxAttempts is null ? 1 : 0 },
            { "notify", NpgsqlDbType.Boolean, notify && delay == TimeSpan.Zero },
        };
        AuditSessionStatus[] allowed = [AuditSessionStatus.Running];
        return TransitionAsync(Rule(name, allowed.ToLabels()!), id, HandBackSql, parameters, transaction, cancellationToken);
    }

    private Task<Transition<AuditSession>> TransitionAsync(
        string name,
        Guid id,
        int? attempt,
        AuditSessionStatus[] from,
        AuditSessionStatus to,
        string? errorSummary,
        NpgsqlTransaction? transaction,
        CancellationToken cancellationToken)
    {
        var allowed = from.ToLabels()!;
        var parameters = new Parameters
        {
            { "id", NpgsqlDbType.Uuid, id },
            { "attempt", NpgsqlDbType.Integer, attempt },
            { "from", NpgsqlDbType.Array | NpgsqlDbType.Text, allowed },
            { "to", NpgsqlDbType.Text, to.ToLabel() },
            { "error_summary", NpgsqlDbType.Text, errorSummary },
            { "notify", NpgsqlDbType.Boolean, notify && to == AuditSessionStatus.Queued },
        };
        return TransitionAsync(Rule(name, allowed), id, TransitionSql, parameters, transaction, cancellationToken);
    }

    private Task<Transition<AuditSession>> TransitionAsync(
        TransitionRule rule, Guid id, string sql, Parameters parameters, NpgsqlTransaction? transaction, CancellationToken cancellationToken) =>
        dataSource.RunTransitionAsync(
            rule,
            id,
            sql,
            parameters,
            AuditSessionRepository.Map,
            (session, _) => $"{session.Status.ToLabel()} at attempt {session.Attempts}",
            transaction,
            cancellationToken);

    private static TransitionRule Rule(string name, string[] allowed) => new(AuditSessionRepository.Table, name, allowed);
}
