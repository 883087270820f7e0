using System.Data.Common;
using CrawlData.Diagnostics;
using Dapper;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;
using static CrawlData.Database;

namespace CrawlData.Audits;

/// <summary>The table <c>audit_sessions</c>, which is also the queue of what is to be audited. Safe for use by many tasks at once.</summary>
/// <remarks>
/// <para><b>Attempts.</b> Who claims or starts a session gets the number of its attempt, <see cref="AuditSession.Attempts"/>, and gives it with whatever it
/// changes. When the session has gone to another attempt since, the change is refused: a worker that was given up for dead cannot overwrite its successor. It
/// rests on the session's row lock and its count of attempts, which only rises.</para>
/// <para><b>Signs of life.</b> A claim writes a line into <c>crawl_logs</c>, as its worker does while it works. A session that runs, and whose log has been
/// silent for long enough, was abandoned.</para>
/// <para>Methods that write take the caller's transaction; without one each is a transaction of its own. Errors of the server and of the connection come as <see
/// cref="NpgsqlException"/>: in a transaction at REPEATABLE READ or above, who loses a race gets the server's 40001.</para>
/// </remarks>
/// <param name="dataSource">The application's data source; it stays the application's to dispose of.</param>
/// <param name="readDataSource">Where what only reads goes when it is in no transaction, to get, list and count: a hot standby, say, which lags behind.
/// What is inserted, claimed, released, changed or deleted, and which are abandoned, does not go there. The data source when null.</param>
/// <param name="logger">Told of claims, and of sessions that are taken from abandoned attempts; may be null.</param>
public sealed class AuditSessionRepository(NpgsqlDataSource dataSource, NpgsqlDataSource? readDataSource = null, ILogger<AuditSessionRepository>? logger = null)
{
    /// <summary>The most sessions on a page.</summary>
    public const int MaxPageSize = 1_000;

    internal const string Table = "audit_sessions";

    // In the order in which Read takes them.
    private const string Columns =
        """
        id, url, status::text, created_at, final_url, mode::text, retention_policy::text, attempts, error_summary, crawl_policy_version, config_snapshot,
        low_confidence, pdp_url
        """;

    // The clock is read for each row, in their order, so that sessions that are inserted together are claimed in their order.
    internal const string InsertSql =
        $"""
        insert into audit_sessions (id, url, status, created_at, final_url, mode, retention_policy, attempts, error_summary, crawl_policy_version,
                                    config_snapshot, low_confidence, pdp_url)
        select id, url, status::audit_session_status_enum, coalesce(created_at, clock_timestamp()), final_url, mode::audit_mode_enum,
               retention_policy::retention_policy_enum, attempts, error_summary, crawl_policy_version, config_snapshot::jsonb, low_confidence, pdp_url
        from unnest(@ids, @urls, @statuses, @created_times, @final_urls, @modes, @retention_policies, @attempts, @error_summaries, @crawl_policy_versions,
                    @config_snapshots, @low_confidences, @pdp_urls)
            with ordinality as sessions (id, url, status, created_at, final_url, mode, retention_policy, attempts, error_summary, crawl_policy_version,
                                         config_snapshot, low_confidence, pdp_url, position)
        order by position
        returning {Columns}
        """;

    internal const string GetSql = $"select {Columns} from audit_sessions where id = @id";

    private const string Condition =
        """
          and (created_at, id) > (@after_time, @after_key)
          and (created_at, id) < (@before_time, @before_key)
          and created_at >= @from_time
          and (@crawl_policy_version is null or crawl_policy_version = @crawl_policy_version)
          and (@modes is null or mode = any (@modes::audit_mode_enum[]))
          and (@low_confidence is null or low_confidence = @low_confidence)
        """;

    // A page of each status by the index on (status, created_at), which gives them in order, and of those the first.
    internal const string ListNewestSql =
        $"""
        select {Columns}
        from unnest(@statuses::audit_session_status_enum[]) as wanted (wanted_status)
        cross join lateral (
            select * from audit_sessions
            where status = wanted_status
            {Condition}
            order by created_at desc, id desc
            limit @limit
        ) as sessions
        order by created_at desc, id desc
        limit @limit
        """;

    internal const string ListOldestSql =
        $"""
        select {Columns}
        from unnest(@statuses::audit_session_status_enum[]) as wanted (wanted_status)
        cross join lateral (
            select * from audit_sessions
            where status = wanted_status
            {Condition}
            order by created_at, id
            limit @limit
        ) as sessions
        order by created_at, id
        limit @limit
        """;

    internal const string CountByStatusSql =
        $"select status::text, count(*) from audit_sessions where status = any (@statuses::audit_session_status_enum[]) {Condition} group by status";

    internal const string CountByCrawlPolicyVersionSql =
        $"""
        select crawl_policy_version, count(*)
        from audit_sessions
        where status = any (@statuses::audit_session_status_enum[])
        {Condition}
        group by crawl_policy_version
        """;

    // What begins an attempt writes the first line of its log, from which its silence is measured.
    private const string LogAttempt =
        """
        insert into crawl_logs (session_id, level, event_type, message, details, timestamp)
        select id, 'info', case attempts when 1 then 'navigation' else 'retry' end::event_type_enum, 'attempt ' || attempts || ' begins',
               jsonb_build_object('attempt', attempts), clock_timestamp()
        from changed
        where status = 'running'
        """;

    // Not for update: that one passes over a session whose row a foreign key's check holds, as the insert of a log line does.
    internal const string ClaimNextSql =
        $"""
        with oldest as materialized (
            select id from audit_sessions where status = 'queued' order by created_at limit 1 for no key update skip locked
        ), changed as (
            update audit_sessions set status = 'running', attempts = attempts + 1 from oldest where audit_sessions.id = oldest.id returning audit_sessions.*
        ), logged as (
            {LogAttempt}
        )
        select {Columns} from changed
        """;

    // The row is locked and read first, so that who loses a race sees what the winner committed and not its own older snapshot.
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
            where audit_sessions.id = standing.id
              and standing.status = any (@from::audit_session_status_enum[])
              and standing.attempts = coalesce(@attempt, standing.attempts)
            returning audit_sessions.*
        ), logged as (
            {LogAttempt}
        )
        select {Columns}, true as applied from changed
        union all
        select {Columns}, false as applied from standing where not exists (select from changed)
        """;

    internal const string RecordSql =
        $"""
        with standing as materialized (
            select * from audit_sessions where id = @id for no key update
        ), changed as (
            update audit_sessions
            set final_url = coalesce(@final_url, audit_sessions.final_url),
                pdp_url = coalesce(@pdp_url, audit_sessions.pdp_url),
                low_confidence = coalesce(@low_confidence, audit_sessions.low_confidence)
            from standing
            where audit_sessions.id = standing.id and standing.attempts = @attempt and standing.status <> 'queued'
            returning audit_sessions.*
        )
        select {Columns}, true as applied from changed
        union all
        select {Columns}, false as applied from standing where not exists (select from changed)
        """;

    // now() and not clock_timestamp(), which no index can be searched for. In a long transaction it lies back, which finds fewer.
    private const string Abandoned =
        """
        status = 'running'
          and not exists (select from crawl_logs where crawl_logs.session_id = audit_sessions.id and crawl_logs.timestamp > now() - @silent_for)
        """;

    internal const string ListAbandonedSql = $"select {Columns} from audit_sessions where {Abandoned} order by created_at limit @limit";

    // A session that went to another attempt while this looked is found again when its row is locked, but its new log line is not: hence its attempts.
    internal const string ReleaseAbandonedSql =
        $"""
        with abandoned as materialized (
            select id, attempts from audit_sessions where {Abandoned} order by created_at limit @limit
        ), locked as materialized (
            select audit_sessions.id
            from audit_sessions join abandoned on abandoned.id = audit_sessions.id
            where audit_sessions.status = 'running' and audit_sessions.attempts = abandoned.attempts
            for no key update of audit_sessions skip locked
        )
        update audit_sessions
        set status = case when attempts < @max_attempts then 'queued' else 'failed' end::audit_session_status_enum,
            error_summary = 'attempt ' || attempts || ' was given up: it wrote no log line for ' || @silent_for
        from locked
        where audit_sessions.id = locked.id
        returning {AbandonedColumns}
        """;

    // As Columns, of two relations with an id.
    private const string AbandonedColumns =
        """
        audit_sessions.id, url, status::text, created_at, final_url, mode::text, retention_policy::text, attempts, error_summary, crawl_policy_version,
        config_snapshot, low_confidence, pdp_url
        """;

    internal const string DeleteSql = "delete from audit_sessions where id = @id";

    private readonly NpgsqlDataSource dataSource = dataSource ?? throw new ArgumentNullException(nameof(dataSource));
    private readonly NpgsqlDataSource reads = readDataSource ?? dataSource;
    private readonly Telemetry telemetry = new(dataSource, Table);
    private readonly ILogger log = logger.Guarded();

    /// <summary>Inserts a session into the queue: its status is queued.</summary>
    /// <returns>The row as it was stored.</returns>
    /// <exception cref="RowAlreadyExistsException">A session with that id exists.</exception>
    public async Task<AuditSession> InsertAsync(NewAuditSession session, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(session);
        return (await InsertAsync([session], transaction, cancellationToken).ConfigureAwait(false))[0];
    }

    /// <summary>Inserts sessions into the queue, all or none. They are claimed in their order, unless their <see cref="NewAuditSession.CreatedAt"/> says otherwise.</summary>
    /// <returns>The rows as they were stored, in the order of the sessions.</returns>
    /// <exception cref="RowAlreadyExistsException">A session with one of the ids exists.</exception>
    /// <exception cref="InvalidValueException">One of the sessions is null.</exception>
    public Task<IReadOnlyList<AuditSession>> InsertAsync(
        IEnumerable<NewAuditSession> sessions, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(sessions);
        return InsertAsync(
            [.. sessions.Select((session, index) => new AuditSession
            {
                Id = (session ?? throw new InvalidValueException("sessions", $"has null at index {index}")).Id ?? Guid.CreateVersion7(),
                Url = session.Url,
                Status = AuditSessionStatus.Queued,
                CreatedAt = session.CreatedAt ?? default,
                Mode = session.Mode,
                RetentionPolicy = session.RetentionPolicy,
                Attempts = 0,
                CrawlPolicyVersion = session.CrawlPolicyVersion,
                ConfigSnapshot = session.ConfigSnapshot,
                LowConfidence = false,
            })],
            transaction,
            cancellationToken);
    }

    /// <summary>Gets a session; null when there is none.</summary>
    public async Task<AuditSession?> GetAsync(Guid id, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        var parameters = new Parameters { { "id", NpgsqlDbType.Uuid, id } };
        return (await reads.ReadListAsync(Command(GetSql, parameters, transaction, cancellationToken), Read).ConfigureAwait(false)).SingleOrDefault();
    }

    /// <summary>Lists sessions by their time of creation, a page at a time.</summary>
    /// <param name="filter">Which sessions; all when null. Give the same filter with every page of a listing.</param>
    /// <param name="pageSize">The most sessions on the page, 1 to <see cref="MaxPageSize"/>.</param>
    /// <param name="cursor">The page before's <see cref="Page{T}.NextCursor"/>; null for the first page. A page starts after a session, not at a number: rows
    /// that come or go meanwhile make no other row appear twice or be passed over.</param>
    /// <param name="order">Newest or oldest first. Give the same with every page of a listing.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <exception cref="InvalidValueException">The cursor is not one that this method returned, the page size is out of range, or the order is
    /// none.</exception>
    public async Task<Page<AuditSession>> ListAsync(
        AuditSessionFilter? filter = null,
        int pageSize = 50,
        string? cursor = null,
        ListOrder order = ListOrder.NewestFirst,
        NpgsqlTransaction? transaction = null,
        CancellationToken cancellationToken = default)
    {
        PageBuilder.RequireSize(pageSize, MaxPageSize);
        var (sql, kind) = order.Choose((ListNewestSql, CursorKind.SessionsNewestFirst), (ListOldestSql, CursorKind.SessionsOldestFirst));
        var parameters = ToParameters(filter, order, cursor is null ? null : KeysetCursor<Guid>.Decode(cursor, kind));
        parameters.Add("limit", NpgsqlDbType.Integer, pageSize + 1);
        var rows = await reads.ReadListAsync(Command(sql, parameters, transaction, cancellationToken), Read).ConfigureAwait(false);
        return PageBuilder.Build(rows, pageSize, last => new KeysetCursor<Guid>(last.CreatedAt, last.Id).Encode(kind));
    }

    /// <summary>Counts sessions by status.</summary>
    /// <param name="filter">Which sessions; all when null.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <returns>A count for every status, 0 where there is no session.</returns>
    public Task<IReadOnlyDictionary<AuditSessionStatus, long>> CountByStatusAsync(
        AuditSessionFilter? filter = null, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        reads.CountByLabelAsync<AuditSessionStatus>(Command(CountByStatusSql, ToParameters(filter, default, null), transaction, cancellationToken));

    /// <summary>Counts sessions by the version of the crawl policy.</summary>
    /// <param name="filter">Which sessions; all when null.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <returns>A count for each version that occurs.</returns>
    public Task<IReadOnlyDictionary<string, long>> CountByCrawlPolicyVersionAsync(
        AuditSessionFilter? filter = null, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        reads.CountByTextAsync(Command(CountByCrawlPolicyVersionSql, ToParameters(filter, default, null), transaction, cancellationToken));

    /// <summary>Claims the oldest session that is queued: queued → running, one attempt more.</summary>
    /// <remarks>Of any number that claim at once each gets another session, or none; nobody waits for anybody. It rests on <c>for no key update skip locked</c>
    /// over the index on (status, created_at). In a transaction of the caller's the claim is only good when that commits.</remarks>
    /// <returns>The session, whose <see cref="AuditSession.Attempts"/> is the proof to be given with what follows; null when none is queued.</returns>
    public async Task<AuditSession?> ClaimNextAsync(NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        var claim = Command(ClaimNextSql, null, transaction, cancellationToken);
        var claimed = await telemetry.RunAsync("claim", 0, () => dataSource.ReadListAsync(claim, Read)).ConfigureAwait(false);
        telemetry.Claimed(claimed.Count == 1);
        if (claimed is not [var session])
        {
            return null;
        }

        Log.SessionClaimed(log, session.Id, session.Attempts);
        return session;
    }

    /// <summary>Starts a session that was chosen otherwise than by <see cref="ClaimNextAsync"/>: queued → running, one attempt more.</summary>
    /// <remarks>One atomic statement, which takes the session's row lock: of two that race, one is applied, and the other is refused and sees what the first
    /// committed. Neither a refusal nor a session that is not there throws: look at the <see cref="Transition{T}.Outcome"/>, or say <see
    /// cref="Transition{T}.EnsureApplied"/>.</remarks>
    public Task<Transition<AuditSession>> StartAsync(Guid id, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        TransitionAsync(id, null, [AuditSessionStatus.Queued], AuditSessionStatus.Running, null, transaction, cancellationToken);

    /// <summary>running → completed.</summary>
    /// <inheritdoc cref="StartAsync" path="/remarks"/>
    /// <param name="id">The session.</param>
    /// <param name="attempt">The attempt that completes it; refused when the session has gone to another.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    public Task<Transition<AuditSession>> CompleteAsync(
        Guid id, int attempt, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        TransitionAsync(id, attempt, [AuditSessionStatus.Running], AuditSessionStatus.Completed, null, transaction, cancellationToken);

    /// <summary>running → partial: ended with some of what was asked for.</summary>
    /// <inheritdoc cref="StartAsync" path="/remarks"/>
    /// <param name="id">The session.</param>
    /// <param name="attempt">The attempt that ends; refused when the session has gone to another.</param>
    /// <param name="errorSummary">What is missing, and why. Text that a crawled page had a part in goes through <see cref="CrawledText.Repair"/> first.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    /// <exception cref="InvalidValueException">The summary holds U+0000 or a lone surrogate.</exception>
    public Task<Transition<AuditSession>> CompletePartiallyAsync(
        Guid id, int attempt, string errorSummary, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        TransitionAsync(
            id, attempt, [AuditSessionStatus.Running], AuditSessionStatus.Partial, CrawledText.Require(errorSummary, "error_summary"), transaction, cancellationToken);

    /// <summary>running → failed.</summary>
    /// <inheritdoc cref="CompletePartiallyAsync"/>
    /// <param name="id">The session.</param>
    /// <param name="attempt">The attempt that fails; refused when the session has gone to another.</param>
    /// <param name="errorSummary">Why it failed. Text that a crawled page had a part in goes through <see cref="CrawledText.Repair"/> first.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    public Task<Transition<AuditSession>> FailAsync(
        Guid id, int attempt, string errorSummary, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        TransitionAsync(
            id, attempt, [AuditSessionStatus.Running], AuditSessionStatus.Failed, CrawledText.Require(errorSummary, "error_summary"), transaction, cancellationToken);

    /// <summary>failed or partial → queued, for another attempt. It keeps its place in the queue, which goes by the time of creation.</summary>
    /// <inheritdoc cref="StartAsync" path="/remarks"/>
    public Task<Transition<AuditSession>> RequeueAsync(Guid id, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        TransitionAsync(
            id, null, [AuditSessionStatus.Failed, AuditSessionStatus.Partial], AuditSessionStatus.Queued, null, transaction, cancellationToken);

    /// <summary>Sets what an attempt found out about its session, while it runs or after it ended; refused when it was given up and the session waits for another.</summary>
    /// <inheritdoc cref="StartAsync" path="/remarks"/>
    /// <param name="id">The session.</param>
    /// <param name="attempt">The attempt that found it out; refused when the session has gone to another.</param>
    /// <param name="findings">What to set.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    public Task<Transition<AuditSession>> RecordAsync(
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
        return ReadTransitionAsync(id, Command(RecordSql, parameters, transaction, cancellationToken));
    }

    /// <summary>Lists sessions that run and whose log has been silent, oldest first: their workers are dead, or slow.</summary>
    /// <remarks>It reads from the primary: to a standby that lags, workers that are well look silent.</remarks>
    /// <param name="silentFor">How long no line of the log has come, by the database's clock and the lines' timestamps.</param>
    /// <param name="limit">The most sessions, at least 1.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <exception cref="InvalidValueException">The time is not positive or over 36,500 days, or the limit is less than 1.</exception>
    public async Task<IReadOnlyList<AuditSession>> ListAbandonedAsync(
        TimeSpan silentFor, int limit = 100, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        await dataSource.ReadListAsync(Command(ListAbandonedSql, ToParameters(silentFor, limit), transaction, cancellationToken), Read).ConfigureAwait(false);

    /// <summary>Gives up attempts whose log has been silent: running → queued or, when so many attempts were made, failed.</summary>
    /// <remarks>A worker that was merely slow does no harm: it cannot finish the session any more, whatever became of that. Any number may do this at
    /// once; each session is released by one.</remarks>
    /// <param name="silentFor">How long no line of the log has come, by the database's clock and the lines' timestamps. Longer than the longest pause between
    /// two lines of a worker that is well.</param>
    /// <param name="maxAttempts">The most attempts: after so many the session fails. At least 1.</param>
    /// <param name="limit">The most sessions, at least 1.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    /// <returns>The sessions as they are now, oldest first.</returns>
    /// <exception cref="InvalidValueException">The time is not positive or over 36,500 days, or a number is less than 1.</exception>
    public async Task<IReadOnlyList<AuditSession>> ReleaseAbandonedAsync(
        TimeSpan silentFor, int maxAttempts, int limit = 100, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        var parameters = ToParameters(silentFor, limit);
        parameters.Add("max_attempts", NpgsqlDbType.Integer, RequireAtLeastOne(maxAttempts, "max_attempts"));
        var release = Command(ReleaseAbandonedSql, parameters, transaction, cancellationToken);
        var released = await telemetry.RunAsync("release", 0, () => dataSource.ReadListAsync(release, Read)).ConfigureAwait(false);
        released.Sort(static (one, other) => one.CreatedAt.CompareTo(other.CreatedAt));
        foreach (var session in released)
        {
            var status = session.Status.ToLabel();
            telemetry.Released(status);
            Log.SessionReleased(log, session.Id, session.Attempts, status);
        }

        return released;
    }

    /// <summary>Deletes a session with its pages, artifacts and log lines, in one statement. With the artifacts' rows go their storage URIs: what lies there is
    /// to be deleted before.</summary>
    /// <returns>Whether there was such a session.</returns>
    public async Task<bool> DeleteAsync(Guid id, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        var command = Command(DeleteSql, new Parameters { { "id", NpgsqlDbType.Uuid, id } }, transaction, cancellationToken);
        return await dataSource.UseAsync(transaction, connection => connection.ExecuteAsync(command), cancellationToken).ConfigureAwait(false) == 1;
    }

    /// <summary>Inserts sessions as they are, whatever their status; one whose <see cref="AuditSession.CreatedAt"/> is <c>default</c> is created now.</summary>
    internal async Task<IReadOnlyList<AuditSession>> InsertAsync(
        IReadOnlyList<AuditSession> sessions, NpgsqlTransaction? transaction, CancellationToken cancellationToken)
    {
        if (sessions.Count == 0)
        {
            return [];
        }

        var parameters = new Parameters
        {
            { "ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, sessions.Select(session => session.Id).ToArray() },
            { "urls", NpgsqlDbType.Array | NpgsqlDbType.Text, sessions.Select(session => session.Url).ToArray() },
            { "statuses", NpgsqlDbType.Array | NpgsqlDbType.Text, sessions.Select(session => session.Status).ToLabels() },
            {
                "created_times", NpgsqlDbType.Array | NpgsqlDbType.TimestampTz,
                sessions.Select(session => session.CreatedAt == default ? (DateTimeOffset?)null : session.CreatedAt).ToArray()
            },
            { "final_urls", NpgsqlDbType.Array | NpgsqlDbType.Text, sessions.Select(session => session.FinalUrl).ToArray() },
            { "modes", NpgsqlDbType.Array | NpgsqlDbType.Text, sessions.Select(session => session.Mode).ToLabels() },
            { "retention_policies", NpgsqlDbType.Array | NpgsqlDbType.Text, sessions.Select(session => session.RetentionPolicy).ToLabels() },
            { "attempts", NpgsqlDbType.Array | NpgsqlDbType.Integer, sessions.Select(session => session.Attempts).ToArray() },
            { "error_summaries", NpgsqlDbType.Array | NpgsqlDbType.Text, sessions.Select(session => session.ErrorSummary).ToArray() },
            { "crawl_policy_versions", NpgsqlDbType.Array | NpgsqlDbType.Text, sessions.Select(session => session.CrawlPolicyVersion).ToArray() },
            { "config_snapshots", NpgsqlDbType.Array | NpgsqlDbType.Text, sessions.Select(session => session.ConfigSnapshot.Utf8).ToArray() },
            { "low_confidences", NpgsqlDbType.Array | NpgsqlDbType.Boolean, sessions.Select(session => session.LowConfidence).ToArray() },
            { "pdp_urls", NpgsqlDbType.Array | NpgsqlDbType.Text, sessions.Select(session => session.PdpUrl).ToArray() },
        };
        return await dataSource.InsertRowsAsync(
            Command(InsertSql, parameters, transaction, cancellationToken), Table, [.. sessions.Select(session => session.Id)], Read, session => session.Id)
            .ConfigureAwait(false);
    }

    private Task<Transition<AuditSession>> TransitionAsync(
        Guid id,
        int? attempt,
        AuditSessionStatus[] from,
        AuditSessionStatus to,
        string? errorSummary,
        NpgsqlTransaction? transaction,
        CancellationToken cancellationToken)
    {
        var parameters = new Parameters
        {
            { "id", NpgsqlDbType.Uuid, id },
            { "attempt", NpgsqlDbType.Integer, attempt },
            { "from", NpgsqlDbType.Array | NpgsqlDbType.Text, from.ToLabels() },
            { "to", NpgsqlDbType.Text, to.ToLabel() },
            { "error_summary", NpgsqlDbType.Text, errorSummary },
        };
        return ReadTransitionAsync(id, Command(TransitionSql, parameters, transaction, cancellationToken));
    }

    private Task<Transition<AuditSession>> ReadTransitionAsync(Guid id, CommandDefinition command) =>
        dataSource.ReadTransitionAsync(command, Table, id, Read, session => $"is {session.Status.ToLabel()}, attempts {session.Attempts}");

    private static AuditSession Read(DbDataReader row) => new()
    {
        Id = row.GetGuid(0),
        Url = row.GetString(1),
        Status = row.GetLabel<AuditSessionStatus>(2),
        CreatedAt = row.GetInstant(3),
        FinalUrl = row.GetNullable<string>(4),
        Mode = row.GetLabel<AuditMode>(5),
        RetentionPolicy = row.GetLabel<RetentionPolicy>(6),
        Attempts = row.GetInt32(7),
        ErrorSummary = row.GetNullable<string>(8),
        CrawlPolicyVersion = row.GetString(9),
        ConfigSnapshot = row.GetJsonb(10),
        LowConfidence = row.GetBoolean(11),
        PdpUrl = row.GetNullable<string>(12),
    };

    private static Parameters ToParameters(AuditSessionFilter? filter, ListOrder order, KeysetCursor<Guid>? cursor)
    {
        filter ??= AuditSessionFilter.All;
        var parameters = new Parameters
        {
            { "statuses", NpgsqlDbType.Array | NpgsqlDbType.Text, (filter.Statuses?.Distinct() ?? Enum.GetValues<AuditSessionStatus>()).ToLabels() },
            { "crawl_policy_version", NpgsqlDbType.Text, filter.CrawlPolicyVersion },
            { "modes", NpgsqlDbType.Array | NpgsqlDbType.Text, filter.Modes.ToLabels() },
            { "low_confidence", NpgsqlDbType.Boolean, filter.LowConfidence },
        };
        parameters.AddRange(order, cursor, filter.CreatedFrom, filter.CreatedBefore);
        return parameters;
    }

    private static Parameters ToParameters(TimeSpan silentFor, int limit) => new()
    {
        { "silent_for", NpgsqlDbType.Interval, Durations.Require(silentFor, "silent_for", Durations.Least, Durations.Most) },
        { "limit", NpgsqlDbType.Integer, RequireAtLeastOne(limit, "limit") },
    };

    private static int RequireAtLeastOne(int value, string field) =>
        value >= 1 ? value : throw new InvalidValueException(field, $"is {value}; the least is 1");
}
