using System.Data.Common;
using CrawlData.Instrumentation;
using CrawlData.Storage;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Audits;

/// <summary>The table <c>audit_sessions</c>. <see cref="AuditSessionQueue"/> works on the same table as a queue. Instances are thread-safe.</summary>
/// <remarks>
/// <para><b>Transactions.</b> Methods take the caller's transaction. Without one, each call is a transaction of its own.</para>
/// <para><b>Errors.</b> Errors of the server and of the connection are thrown as <see cref="NpgsqlException"/>. Nothing is retried.</para>
/// </remarks>
/// <param name="dataSource">The application's data source. The application disposes it.</param>
/// <param name="readDataSource">Serves <see cref="GetAsync"/>, <see cref="ListAsync"/> and the counts outside a transaction, for example from a hot standby,
/// which lags behind. Writes never use it. Null for <paramref name="dataSource"/>.</param>
/// <param name="logger">Logs rows that listings and counts pass over, because this version cannot read them; may be null.</param>
/// <param name="notify">Whether inserts of queued sessions notify workers that listen. The notification is sent by the commit. A transaction that notifies
/// cannot be prepared (two-phase commit).</param>
public sealed partial class AuditSessionRepository(
    NpgsqlDataSource dataSource, NpgsqlDataSource? readDataSource = null, ILogger<AuditSessionRepository>? logger = null, bool notify = false)
{
    /// <summary>The largest page: 1,000 sessions.</summary>
    public const int MaxPageSize = 1_000;

    internal const string Table = "audit_sessions";

    // In the order in which Map reads them.
    internal const string Columns =
        """
        id, url, status::text, created_at, final_url, mode::text, retention_policy::text, attempts, error_summary, crawl_policy_version, config_snapshot,
        low_confidence, pdp_url
        """;

    // Whether Map can read a session. The queue leaves other sessions as they are.
    internal const string Readable =
        """
        status::text in ('queued', 'running', 'completed', 'failed', 'partial')
          and mode::text in ('standard', 'debug', 'evidence_pack')
          and retention_policy::text in ('standard', 'short', 'long')
          and created_at >= '0001-01-01 00:00:00+00' and created_at < '10000-01-01 00:00:00+00'
        """;

    // All statuses that the database has, also those that this version does not know.
    private const string WantedStatuses = "coalesce(@statuses::audit_session_status_enum[], pg_catalog.enum_range(null::audit_session_status_enum))";

    // The time of each row is a microsecond after that of the row before. So sessions that are inserted together are claimed in their order.
    internal const string InsertSql =
        $"""
        insert into audit_sessions (id, url, status, created_at, final_url, mode, retention_policy, attempts, error_summary, crawl_policy_version,
                                    config_snapshot, low_confidence, pdp_url)
        select id, url, status::audit_session_status_enum, coalesce(created_at, {WorkQueue.TimeOfRow}), final_url, mode::audit_mode_enum,
               retention_policy::retention_policy_enum, attempts, error_summary, crawl_policy_version, config_snapshot::jsonb, low_confidence, pdp_url
        from unnest(@ids, @urls, @statuses, @created_times, @final_urls, @modes, @retention_policies, @attempts, @error_summaries, @crawl_policy_versions,
                    @config_snapshots, @low_confidences, @pdp_urls)
            with ordinality as sessions (id, url, status, created_at, final_url, mode, retention_policy, attempts, error_summary, crawl_policy_version,
                                         config_snapshot, low_confidence, pdp_url, position)
        order by position
        returning {Columns};
        {WorkQueue.NotifySessions}
        """;

    internal const string GetSql = $"select {Columns} from audit_sessions where id = @id";

    private const string Condition =
        """
          and (created_at, id) > (@after_time, @after_key)
          and (created_at, id) < (@before_time, @before_key)
          and (@crawl_policy_version is null or crawl_policy_version = @crawl_policy_version)
          and (@modes is null or mode operator(pg_catalog.=) any (@modes::audit_mode_enum[]))
          and (@low_confidence is null or low_confidence = @low_confidence)
        """;

    // One page of each status, read in order from the index on (status, created_at). The first rows of these pages are the result.
    internal const string ListNewestSql =
        $"""
        select {Columns}
        from pg_catalog.unnest({WantedStatuses}) as wanted (wanted_status)
        cross join lateral (
            select * from audit_sessions
            where status operator(pg_catalog.=) wanted_status
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
        from pg_catalog.unnest({WantedStatuses}) as wanted (wanted_status)
        cross join lateral (
            select * from audit_sessions
            where status operator(pg_catalog.=) wanted_status
            {Condition}
            order by created_at, id
            limit @limit
        ) as sessions
        order by created_at, id
        limit @limit
        """;

    internal const string CountByStatusSql =
        $"select status::text, pg_catalog.count(*) from audit_sessions where status operator(pg_catalog.=) any ({WantedStatuses}) {Condition} group by status";

    internal const string CountByCrawlPolicyVersionSql =
        $"""
        select crawl_policy_version, pg_catalog.count(*)
        from audit_sessions
        where status operator(pg_catalog.=) any ({WantedStatuses})
        {Condition}
        group by crawl_policy_version
        """;

    internal const string DeleteSql = "delete from audit_sessions where id = @id";

    private readonly NpgsqlDataSource dataSource = dataSource ?? throw new ArgumentNullException(nameof(dataSource));
    private readonly NpgsqlDataSource reads = readDataSource ?? dataSource;
    private readonly Telemetry telemetry = new(dataSource, Table);
    private readonly ILogger log = logger.Guarded();

    /// <summary>Inserts a session into the queue: its status is queued.</summary>
    /// <param name="session">The session.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    /// <returns>The session as it was stored.</returns>
    /// <exception cref="RowAlreadyExistsException">A session with that id exists. The caller's transaction is aborted, as after any error of the
    /// server.</exception>
    /// <example>
    /// <code>
    /// var session = await sessions.InsertAsync(new NewAuditSession
    /// {
    ///     Url = "https://example.org/",
    ///     CrawlPolicyVersion = "2026.11",
    ///     ConfigSnapshot = Jsonb.From(new { timeout_ms = 5_000 }),
    /// });
    /// </code>
    /// </example>
    public async Task<AuditSession> InsertAsync(NewAuditSession session, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(session);
        return (await InsertAsync([session], transaction, cancellationToken).ConfigureAwait(false))[0];
    }

    /// <summary>Inserts sessions into the queue: all or none. Without sessions it does nothing.</summary>
    /// <remarks>Workers claim the sessions in the same order, unless <see cref="NewAuditSession.CreatedAt"/> sets another.</remarks>
    /// <param name="sessions">The sessions.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    /// <returns>The sessions as they were stored, in the same order.</returns>
    /// <exception cref="RowAlreadyExistsException">A session with one of the ids exists. The caller's transaction is aborted, as after any error of the
    /// server.</exception>
    /// <exception cref="InvalidValueException">One of the sessions is null. Nothing is stored.</exception>
    public Task<IReadOnlyList<AuditSession>> InsertAsync(
        IEnumerable<NewAuditSession> sessions, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(sessions);
        return InsertAsync(
            [.. sessions.NamingIndex("sessions").Select((session, index) => (
                new AuditSession
                {
                    Id = (session ?? throw new InvalidValueException("sessions", $"has null at index {index}")).Id ?? Uuid7.New(),
                    Url = session.Url,
                    Status = AuditSessionStatus.Queued,
                    CreatedAt = default,
                    Mode = session.Mode,
                    RetentionPolicy = session.RetentionPolicy,
                    Attempts = 0,
                    CrawlPolicyVersion = session.CrawlPolicyVersion,
                    ConfigSnapshot = session.ConfigSnapshot,
                    LowConfidence = false,
                },
                Instant.From(session.CreatedAt)))],
            Map,
            session => session.Id,
            transaction,
            cancellationToken);
    }

    /// <summary>Gets a session.</summary>
    /// <param name="id">The session.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <returns>The session; null when there is no session with that id.</returns>
    /// <exception cref="UnreadableRowException">This version, or .NET, cannot hold a value of the row.</exception>
    public Task<AuditSession?> GetAsync(Guid id, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        reads.QuerySingleOrDefaultAsync(GetSql, new Parameters { { "id", NpgsqlDbType.Uuid, id } }, Map, transaction, cancellationToken);

    /// <summary>Lists sessions by their time of creation, a page at a time.</summary>
    /// <remarks>A session that is inserted or deleted meanwhile makes no other session appear twice or get lost. It relies on the cursor, which holds the last
    /// session's key and not a row number.</remarks>
    /// <param name="filter">Which sessions; all when null. Pass the same filter with every page of a listing.</param>
    /// <param name="pageSize">The most sessions on the page, 1 to <see cref="MaxPageSize"/>.</param>
    /// <param name="cursor">The last page's <see cref="Page{T}.NextCursor"/>; null for the first page.</param>
    /// <param name="order">Newest or oldest first. Pass the same order with every page of a listing.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <returns>The page. It has no <see cref="Page{T}.NextCursor"/> when it is the last.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The page size is out of range, or the order is not defined.</exception>
    /// <exception cref="InvalidValueException">The cursor is not one that this method returned for this order.</exception>
    public Task<Page<AuditSession>> ListAsync(
        AuditSessionFilter? filter = null,
        int pageSize = 50,
        string? cursor = null,
        ListOrder order = ListOrder.NewestFirst,
        NpgsqlTransaction? transaction = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentRange.Require(pageSize, 1, MaxPageSize);
        var (sql, kind) = order.Choose((ListNewestSql, CursorKind.SessionsNewestFirst), (ListOldestSql, CursorKind.SessionsOldestFirst));
        var parameters = ToParameters(filter, order, cursor is null ? null : KeysetCursor<Guid>.Decode(cursor, kind));
        return reads.QueryPageAsync(
            sql,
            parameters,
            pageSize,
            Map,
            row => new KeysetCursor<Guid>(row.GetInstant(3), row.GetGuid(0)),
            Bytes,
            last => last.Encode(kind),
            new PassedOverRows(telemetry, log),
            transaction,
            cancellationToken);
    }

    /// <summary>Counts sessions by status.</summary>
    /// <param name="filter">Which sessions; all when null.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <returns>A count for each status; 0 for a status without sessions.</returns>
    public Task<IReadOnlyDictionary<AuditSessionStatus, long>> CountByStatusAsync(
        AuditSessionFilter? filter = null, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        reads.CountByLabelAsync<AuditSessionStatus>(
            Table, CountByStatusSql, ToParameters(filter, default, null), new PassedOverRows(telemetry, log), transaction, cancellationToken);

    /// <summary>Counts sessions by the version of the crawl policy.</summary>
    /// <param name="filter">Which sessions; all when null.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <returns>A count for each version that occurs.</returns>
    public Task<IReadOnlyDictionary<string, long>> CountByCrawlPolicyVersionAsync(
        AuditSessionFilter? filter = null, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        reads.CountByTextAsync(CountByCrawlPolicyVersionSql, ToParameters(filter, default, null), transaction, cancellationToken);

    /// <summary>Deletes a session and its pages, artifacts and log lines, in one statement.</summary>
    /// <remarks>It deletes the rows of the artifacts, not their files. Delete the files first: afterwards the database does not have their storage
    /// URIs.</remarks>
    /// <param name="id">The session.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    /// <returns>Whether the session existed.</returns>
    public async Task<bool> DeleteAsync(Guid id, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        var parameters = new Parameters { { "id", NpgsqlDbType.Uuid, id } };
        return await dataSource.ExecuteAsync(DeleteSql, parameters, transaction, cancellationToken).ConfigureAwait(false) == 1;
    }

    /// <summary>Inserts sessions as they are, in any status, each with its time of creation; null for the time of the database's clock. An import maps only
    /// the ids of the stored rows, because it may store times that <see cref="Map"/> cannot read.</summary>
    internal async Task<IReadOnlyList<T>> InsertAsync<T>(
        IReadOnlyList<(AuditSession Session, Instant? CreatedAt)> created,
        Func<DbDataReader, T> map,
        Func<T, Guid> id,
        NpgsqlTransaction? transaction,
        CancellationToken cancellationToken)
    {
        if (created.Count == 0)
        {
            return [];
        }

        var sessions = created.Select(item => item.Session).ToArray();

        var parameters = new Parameters
        {
            { "ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, sessions.Select(session => session.Id).ToArray() },
            { "urls", NpgsqlDbType.Array | NpgsqlDbType.Text, sessions.Select(session => session.Url).ToArray() },
            { "statuses", NpgsqlDbType.Array | NpgsqlDbType.Text, sessions.Select(session => session.Status).ToLabels() },
            { "created_times", NpgsqlDbType.Array | NpgsqlDbType.TimestampTz, created.Select(item => item.CreatedAt).ToArray() },
            { "final_urls", NpgsqlDbType.Array | NpgsqlDbType.Text, sessions.Select(session => session.FinalUrl).ToArray() },
            { "modes", NpgsqlDbType.Array | NpgsqlDbType.Text, sessions.Select(session => session.Mode).ToLabels() },
            { "retention_policies", NpgsqlDbType.Array | NpgsqlDbType.Text, sessions.Select(session => session.RetentionPolicy).ToLabels() },
            { "attempts", NpgsqlDbType.Array | NpgsqlDbType.Integer, sessions.Select(session => session.Attempts).ToArray() },
            { "error_summaries", NpgsqlDbType.Array | NpgsqlDbType.Text, sessions.Select(session => session.ErrorSummary).ToArray() },
            { "crawl_policy_versions", NpgsqlDbType.Array | NpgsqlDbType.Text, sessions.Select(session => session.CrawlPolicyVersion).ToArray() },
            { "config_snapshots", NpgsqlDbType.Array | NpgsqlDbType.Text, sessions.Select(session => session.ConfigSnapshot.Utf8).ToArray() },
            { "low_confidences", NpgsqlDbType.Array | NpgsqlDbType.Boolean, sessions.Select(session => session.LowConfidence).ToArray() },
            { "pdp_urls", NpgsqlDbType.Array | NpgsqlDbType.Text, sessions.Select(session => session.PdpUrl).ToArray() },
            { "notify", NpgsqlDbType.Boolean, notify && sessions.Any(session => session.Status == AuditSessionStatus.Queued) },
        };
        Guid[] ids = [.. sessions.Select(session => session.Id)];
        return await dataSource.InsertAsync(Table, InsertSql, parameters, ids, map, id, transaction, cancellationToken).ConfigureAwait(false);
    }

    // A page ends at these bytes.
    private static long Bytes(AuditSession session) =>
        session.ConfigSnapshot.Utf8.Length + session.Url.Length + session.CrawlPolicyVersion.Length
        + (session.FinalUrl?.Length ?? 0) + (session.PdpUrl?.Length ?? 0) + (session.ErrorSummary?.Length ?? 0);

    internal static AuditSession Map(DbDataReader row) => new()
    {
        Id = row.GetGuid(0),
        Url = row.GetString(1),
        Status = row.GetLabel<AuditSessionStatus>(Table, 2),
        CreatedAt = row.GetTime(Table, 3),
        FinalUrl = row.GetNullable<string>(4),
        Mode = row.GetLabel<AuditMode>(Table, 5),
        RetentionPolicy = row.GetLabel<RetentionPolicy>(Table, 6),
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
            { "statuses", NpgsqlDbType.Array | NpgsqlDbType.Text, filter.Statuses?.Distinct().ToLabels() },
            { "crawl_policy_version", NpgsqlDbType.Text, filter.CrawlPolicyVersion },
            { "modes", NpgsqlDbType.Array | NpgsqlDbType.Text, filter.Modes.ToLabels() },
            { "low_confidence", NpgsqlDbType.Boolean, filter.LowConfidence },
        };
        parameters.AddRange(order, cursor, filter.CreatedFrom, filter.CreatedBefore);
        return parameters;
    }
}
