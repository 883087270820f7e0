using System.Data.Common;
using CrawlData.Instrumentation;
using CrawlData.Storage;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Audits;

/// <summary>The table <c>audit_pages</c>: each session's pages. Instances are thread-safe.</summary>
/// <remarks>
/// <para><b>Transactions.</b> Methods take the caller's transaction. Without one, each call is a transaction of its own.</para>
/// <para><b>Errors.</b> Errors of the server and of the connection are thrown as <see cref="NpgsqlException"/>. An insert gets SQLSTATE 23503 when its session
/// is deleted at the same time. Nothing is retried.</para>
/// </remarks>
/// <param name="dataSource">The application's data source. The application disposes it.</param>
/// <param name="readDataSource">Serves <see cref="GetAsync"/> and <see cref="ListAsync"/> outside a transaction, for example from a hot standby, which lags
/// behind. Writes never use it. Null for <paramref name="dataSource"/>.</param>
/// <param name="logger">Logs rows that listings pass over, because this version cannot read them; may be null.</param>
public sealed class AuditPageRepository(
    NpgsqlDataSource dataSource, NpgsqlDataSource? readDataSource = null, ILogger<AuditPageRepository>? logger = null)
{
    internal const string Table = "audit_pages";

    // In the order in which Map reads them.
    internal const string Columns = "id, session_id, page_type::text, viewport::text, status::text, load_timings, low_confidence_reasons";

    internal const string InsertSql =
        $"""
        with sessions as materialized (
            select pg_catalog.count(*) as count from audit_sessions where id = any (@parent_ids)
        )
        insert into audit_pages (id, session_id, page_type, viewport, status, load_timings, low_confidence_reasons)
        select id, session_id, page_type::page_type_enum, viewport::viewport_enum, status::page_status_enum, load_timings::jsonb, low_confidence_reasons::jsonb
        from unnest(@ids, @session_ids, @page_types, @viewports, @statuses, @page_load_timings, @page_low_confidence_reasons)
            as pages (id, session_id, page_type, viewport, status, load_timings, low_confidence_reasons)
        where (select count from sessions) = pg_catalog.cardinality(@parent_ids)
        returning {Columns}
        """;

    internal const string UnknownSessionsSql =
        """
        select id from pg_catalog.unnest(@parent_ids) as asked (id)
        where id <> all (array(select id from audit_sessions where id = any (@parent_ids)))
        """;

    // Whether Map can read a page. The status of another page is not set. Its row fails to be mapped.
    private const string Readable =
        """
        page_type::text in ('homepage', 'pdp') and viewport::text in ('desktop', 'mobile') and status::text in ('ok', 'failed', 'pending')
        """;

    internal const string SetStatusSql =
        $"""
        with standing as materialized (
            select * from audit_pages where id = @id and session_id = @session_id for no key update
        ), changed as (
            update audit_pages
            set status = @status::page_status_enum,
                load_timings = coalesce(@load_timings, audit_pages.load_timings),
                low_confidence_reasons = coalesce(@low_confidence_reasons, audit_pages.low_confidence_reasons)
            from standing
            where audit_pages.id = @id and audit_pages.session_id = @session_id and exists (select from standing where {Readable})
            returning audit_pages.*
        )
        select {Columns}, true as applied from changed
        union all
        select {Columns}, false as applied from standing where not exists (select from changed)
        """;

    internal const string GetSql = $"select {Columns} from audit_pages where id = @id and session_id = @session_id";

    internal const string ListSql =
        $"""
        select {Columns}
        from audit_pages
        where session_id = @session_id
          and (@page_types is null or page_type operator(pg_catalog.=) any (@page_types::page_type_enum[]))
          and (@viewports is null or viewport operator(pg_catalog.=) any (@viewports::viewport_enum[]))
        order by audit_pages.page_type, audit_pages.viewport, id
        """;

    private static readonly TransitionRule SetStatus = new(Table, "set status", [.. EnumLabels.All<PageStatus>()]);

    private readonly NpgsqlDataSource dataSource = dataSource ?? throw new ArgumentNullException(nameof(dataSource));
    private readonly NpgsqlDataSource reads = readDataSource ?? dataSource;
    private readonly Telemetry telemetry = new(dataSource, Table);
    private readonly ILogger log = logger.Guarded();

    /// <summary>Inserts a page.</summary>
    /// <param name="sessionId">The page's session.</param>
    /// <param name="page">The page.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    /// <returns>The page as it was stored.</returns>
    /// <exception cref="RowNotFoundException">There is no such session.</exception>
    /// <exception cref="RowAlreadyExistsException">A page with that id exists. The caller's transaction is aborted, as after any error of the
    /// server.</exception>
    /// <example>
    /// <code>
    /// var page = await pages.InsertAsync(session.Id, new NewAuditPage { PageType = PageType.Homepage, Viewport = Viewport.Desktop });
    /// </code>
    /// </example>
    public async Task<AuditPage> InsertAsync(
        Guid sessionId, NewAuditPage page, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(page);
        return (await InsertAsync(sessionId, [page], transaction, cancellationToken).ConfigureAwait(false))[0];
    }

    /// <summary>Inserts pages into a session: all or none. Without pages it does nothing, and does not look for the session.</summary>
    /// <param name="sessionId">The pages' session.</param>
    /// <param name="pages">The pages.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    /// <returns>The pages as they were stored, in the same order.</returns>
    /// <exception cref="RowNotFoundException">There is no such session. Nothing is stored.</exception>
    /// <exception cref="RowAlreadyExistsException">A page with one of the ids exists. The caller's transaction is aborted, as after any error of the
    /// server.</exception>
    /// <exception cref="InvalidValueException">One of the pages is null. Nothing is stored.</exception>
    public Task<IReadOnlyList<AuditPage>> InsertAsync(
        Guid sessionId, IEnumerable<NewAuditPage> pages, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(pages);
        return InsertAsync([.. pages.NamingIndex("pages").Select(page => (sessionId, page))], transaction, cancellationToken);
    }

    /// <summary>Sets a page's status, and optionally its load timings and its reasons for low confidence.</summary>
    /// <param name="sessionId">The page's session.</param>
    /// <param name="id">The page.</param>
    /// <param name="status">The new status.</param>
    /// <param name="loadTimings">The timestamps and durations of the page load. Null leaves the stored value unchanged.</param>
    /// <param name="lowConfidenceReasons">The reasons for low confidence in the page's findings. Null leaves the stored value unchanged.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    /// <returns>The outcome, and the page. The outcome is <see cref="TransitionOutcome.Applied"/> from any status. It is
    /// <see cref="TransitionOutcome.NotFound"/> when the session has no such page. It is never <see cref="TransitionOutcome.Refused"/>.</returns>
    /// <exception cref="InvalidValueException">The status is not defined.</exception>
    public Task<Transition<AuditPage>> SetStatusAsync(
        Guid sessionId,
        Guid id,
        PageStatus status,
        Jsonb? loadTimings = null,
        Jsonb? lowConfidenceReasons = null,
        NpgsqlTransaction? transaction = null,
        CancellationToken cancellationToken = default)
    {
        var parameters = new Parameters
        {
            { "session_id", NpgsqlDbType.Uuid, sessionId },
            { "id", NpgsqlDbType.Uuid, id },
            { "status", NpgsqlDbType.Text, EnumLabels.Require(status, "status").ToLabel() },
            { "load_timings", NpgsqlDbType.Jsonb, loadTimings?.Utf8 },
            { "low_confidence_reasons", NpgsqlDbType.Jsonb, lowConfidenceReasons?.Utf8 },
        };
        return dataSource.RunTransitionAsync(
            SetStatus, id, SetStatusSql, parameters, Map, (page, _) => page.Status.ToLabel(), transaction, cancellationToken);
    }

    /// <summary>Gets a page.</summary>
    /// <param name="sessionId">The page's session.</param>
    /// <param name="id">The page.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <returns>The page; null when the session has no page with that id.</returns>
    /// <exception cref="UnreadableRowException">This version, or .NET, cannot hold a value of the row.</exception>
    public Task<AuditPage?> GetAsync(Guid sessionId, Guid id, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        var parameters = new Parameters { { "session_id", NpgsqlDbType.Uuid, sessionId }, { "id", NpgsqlDbType.Uuid, id } };
        return reads.QuerySingleOrDefaultAsync(GetSql, parameters, Map, transaction, cancellationToken);
    }

    /// <summary>Lists a session's pages, ordered by type, viewport and id.</summary>
    /// <remarks>Pages of one call that have the same type and viewport are in the order of the call, unless the caller gave them ids.</remarks>
    /// <param name="sessionId">The session. An unknown session has no pages.</param>
    /// <param name="filter">Which pages; all when null.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <returns>The pages.</returns>
    public async Task<IReadOnlyList<AuditPage>> ListAsync(
        Guid sessionId, AuditPageFilter? filter = null, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        return await reads.QueryReadableAsync(
            ListSql, ToParameters(sessionId, filter), Map, new PassedOverRows(telemetry, log), transaction, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Inserts pages of several sessions: all or none.</summary>
    internal async Task<IReadOnlyList<AuditPage>> InsertAsync(
        IReadOnlyList<(Guid SessionId, NewAuditPage Page)> pages, NpgsqlTransaction? transaction, CancellationToken cancellationToken)
    {
        if (pages.Count == 0)
        {
            return [];
        }

        Guid[] ids = [.. pages.Select((item, index) =>
            (item.Page ?? throw new InvalidValueException("pages", $"has null at index {index}")).Id ?? Uuid7.New())];
        Guid[] sessionIds = [.. pages.Select(item => item.SessionId).Distinct()];
        var parameters = new Parameters
        {
            { "parent_ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, sessionIds },
            { "ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, ids },
            { "session_ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, pages.Select(item => item.SessionId).ToArray() },
            { "page_types", NpgsqlDbType.Array | NpgsqlDbType.Text, pages.Select(item => item.Page.PageType).ToLabels() },
            { "viewports", NpgsqlDbType.Array | NpgsqlDbType.Text, pages.Select(item => item.Page.Viewport).ToLabels() },
            { "statuses", NpgsqlDbType.Array | NpgsqlDbType.Text, pages.Select(item => item.Page.Status).ToLabels() },
            { "page_load_timings", NpgsqlDbType.Array | NpgsqlDbType.Text, pages.Select(item => item.Page.LoadTimings.Utf8).ToArray() },
            { "page_low_confidence_reasons", NpgsqlDbType.Array | NpgsqlDbType.Text, pages.Select(item => item.Page.LowConfidenceReasons.Utf8).ToArray() },
        };
        var rows = await dataSource.InsertAsync(Table, InsertSql, parameters, ids, Map, page => page.Id, transaction, cancellationToken).ConfigureAwait(false);
        if (rows.Count > 0)
        {
            return rows;
        }

        var references = new Parameters { { "parent_ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, sessionIds } };
        var unknown = await dataSource.QueryAsync(UnknownSessionsSql, references, row => row.GetGuid(0), transaction, cancellationToken).ConfigureAwait(false);
        throw new RowNotFoundException(AuditSessionRepository.Table, unknown.Count > 0 ? unknown : sessionIds);
    }

    /// <summary>Makes the parameters of <see cref="ListSql"/>.</summary>
    internal static Parameters ToParameters(Guid sessionId, AuditPageFilter? filter)
    {
        filter ??= AuditPageFilter.All;
        return new Parameters
        {
            { "session_id", NpgsqlDbType.Uuid, sessionId },
            { "page_types", NpgsqlDbType.Array | NpgsqlDbType.Text, filter.PageTypes.ToLabels() },
            { "viewports", NpgsqlDbType.Array | NpgsqlDbType.Text, filter.Viewports.ToLabels() },
        };
    }

    private static AuditPage Map(DbDataReader row) => new()
    {
        Id = row.GetGuid(0),
        SessionId = row.GetGuid(1),
        PageType = row.GetLabel<PageType>(Table, 2),
        Viewport = row.GetLabel<Viewport>(Table, 3),
        Status = row.GetLabel<PageStatus>(Table, 4),
        LoadTimings = row.GetJsonb(5),
        LowConfidenceReasons = row.GetJsonb(6),
    };
}
