using System.Data.Common;
using CrawlData.Instrumentation;
using CrawlData.Storage;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Crawls;

/// <summary>The table <c>crawl_runs</c>: crawl runs and their status. Instances are thread-safe.</summary>
/// <remarks>
/// <para><b>Transactions.</b> Methods take the caller's transaction. Without one, each call is a transaction of its own.</para>
/// <para><b>Errors.</b> Errors of the server and of the connection are thrown as <see cref="NpgsqlException"/>. Nothing is retried.</para>
/// </remarks>
/// <param name="dataSource">The application's data source. The application disposes it.</param>
/// <param name="readDataSource">Serves <see cref="GetAsync"/>, <see cref="ListAsync"/> and <see cref="CountByStatusAsync"/> outside a transaction, for example
/// from a hot standby, which lags behind. Writes never use it. Null for <paramref name="dataSource"/>.</param>
/// <param name="logger">Logs rows that listings and counts pass over, because this version cannot read them; may be null.</param>
/// <param name="notify">Whether inserts of pending runs notify workers that listen. The notification is sent by the commit. A transaction that notifies cannot
/// be prepared (two-phase commit).</param>
/// <example>
/// <code>
/// var runs = new CrawlRunRepository(dataSource);
/// var run = await runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app", Goal = "Visit every screen once" });
/// (await runs.StartAsync(run.Id)).EnsureApplied();
/// await events.AppendAsync(run.Id, new NewCrawlEvent { EventType = "page.opened", Payload = Jsonb.From(new { url }) });
/// (await runs.CompleteAsync(run.Id)).EnsureApplied();
/// </code>
/// </example>
public sealed partial class CrawlRunRepository(
    NpgsqlDataSource dataSource, NpgsqlDataSource? readDataSource = null, ILogger<CrawlRunRepository>? logger = null, bool notify = false)
{
    /// <summary>The largest page: 1,000 runs.</summary>
    public const int MaxPageSize = 1_000;

    internal const string Table = "crawl_runs";

    // In the order in which Map reads them.
    internal const string Columns =
        """
        id, status::text, app_package, device_config, max_steps, goal, created_at, started_at, completed_at, cancelled_at, error_message
        """;

    // The time of each row is a microsecond after that of the row before. So runs that are inserted together are listed in their order.
    internal const string InsertSql =
        $"""
        insert into crawl_runs (id, status, app_package, device_config, max_steps, goal, created_at, started_at, completed_at, cancelled_at, error_message)
        select id, status::crawl_status, app_package, device_config::jsonb, max_steps, goal,
               coalesce(created_at, {WorkQueue.TimeOfRow}) at time zone 'utc', started_at at time zone 'utc', completed_at at time zone 'utc',
               cancelled_at at time zone 'utc', error_message
        from unnest(@ids, @statuses, @app_packages, @device_configs, @max_steps, @goals, @created_times, @started_times, @completed_times, @cancelled_times,
                    @error_messages)
            with ordinality as runs (id, status, app_package, device_config, max_steps, goal, created_at, started_at, completed_at, cancelled_at,
                                     error_message, position)
        order by position
        returning {Columns};
        {WorkQueue.NotifyRuns}
        """;

    // Whether Map can read a run. A transition of another run changes nothing, and fails when its row is mapped.
    internal const string Readable =
        """
        status::text in ('PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED')
          and created_at >= '0001-01-01' and created_at < '10000-01-01'
          and (started_at is null or started_at >= '0001-01-01' and started_at < '10000-01-01')
          and (completed_at is null or completed_at >= '0001-01-01' and completed_at < '10000-01-01')
          and (cancelled_at is null or cancelled_at >= '0001-01-01' and cancelled_at < '10000-01-01')
        """;

    internal const string GetSql = $"select {Columns} from crawl_runs where id = @id";

    private const string Condition =
        """
        where (created_at, id) > (@after_time at time zone 'utc', @after_key)
          and (created_at, id) < (@before_time at time zone 'utc', @before_key)
          and (@statuses is null or status operator(pg_catalog.=) any (@statuses::crawl_status[]))
          and (@app_package is null or app_package::text = @app_package)
        """;

    internal const string ListNewestSql = $"select {Columns} from crawl_runs {Condition} order by created_at desc, id desc limit @limit";

    internal const string ListOldestSql = $"select {Columns} from crawl_runs {Condition} order by created_at, id limit @limit";

    internal const string CountByStatusSql = $"select status::text, pg_catalog.count(*) from crawl_runs {Condition} group by status";

    // The statements below read one status after another, from an index that begins with the status, or with the app and the status.
    private const string WantedStatuses =
        "pg_catalog.unnest(coalesce(@statuses::crawl_status[], pg_catalog.enum_range(null::crawl_status))) as wanted (wanted_status)";

    // The bounds begin with the status, and there is no "status = wanted_status" beside them. With it, the server's search in the index would begin at the
    // first run of the status, and not at the bound. With bounds of the time alone, a generic plan would walk the index on creation, and filter.
    private const string OfStatus =
        """
        (status, created_at, id) operator(pg_catalog.>) (wanted_status, @after_time at time zone 'utc', @after_key)
        and (status, created_at, id) operator(pg_catalog.<) (wanted_status, @before_time at time zone 'utc', @before_key)
        """;

    private const string NewestFirst = "order by status desc, created_at desc, id desc limit @limit";

    private const string OldestFirst = "order by status, created_at, id limit @limit";

    // A page of each status. The first rows of these pages are the result.
    internal const string ListNewestByStatusSql =
        $"""
        select {Columns}
        from {WantedStatuses}
        cross join lateral (
            (select * from crawl_runs where @app_package is null and {OfStatus} {NewestFirst})
            union all
            (select * from crawl_runs where app_package::text = @app_package and {OfStatus} {NewestFirst})
        ) as runs
        order by created_at desc, id desc
        limit @limit
        """;

    internal const string ListOldestByStatusSql =
        $"""
        select {Columns}
        from {WantedStatuses}
        cross join lateral (
            (select * from crawl_runs where @app_package is null and {OfStatus} {OldestFirst})
            union all
            (select * from crawl_runs where app_package::text = @app_package and {OfStatus} {OldestFirst})
        ) as runs
        order by created_at, id
        limit @limit
        """;

    internal const string CountOfEachStatusSql =
        $"""
        select wanted_status::text,
               (select pg_catalog.count(*) from crawl_runs where @app_package is null and {OfStatus})
                   + (select pg_catalog.count(*) from crawl_runs where app_package::text = @app_package and {OfStatus})
        from {WantedStatuses}
        """;

    // The row is locked and read first. So the loser of a race sees the row that the winner committed, and not its own older snapshot. The time is
    // clock_timestamp(), because the transaction may have begun long before. Citus takes it in a CTE only.
    internal const string TransitionSql =
        $"""
        with standing as materialized (
            select * from crawl_runs where id = @id for no key update
        ), clock as materialized (
            select pg_catalog.clock_timestamp() at time zone 'utc' as time from standing
        ), changed as (
            update crawl_runs
            set status = @to::crawl_status,
                started_at = case when @to = 'RUNNING' then clock.time else crawl_runs.started_at end,
                completed_at = case when @to in ('COMPLETED', 'FAILED') then clock.time else crawl_runs.completed_at end,
                cancelled_at = case when @to = 'CANCELLED' then clock.time else crawl_runs.cancelled_at end,
                error_message = coalesce(@error_message, crawl_runs.error_message)
            from standing, clock
            where crawl_runs.id = @id and standing.status operator(pg_catalog.=) any (@from::crawl_status[])
              and exists (select from standing where {Readable})
            returning crawl_runs.*
        )
        select {Columns}, true as applied from changed
        union all
        select {Columns}, false as applied from standing where not exists (select from changed)
        """;

    internal const string DeleteSql = "delete from crawl_runs where id = @id";

    // Where each crawl has a node of its own, no foreign key deletes the coordinator's row of a retry with its run.
    internal const string DeleteByCrawlSql =
        "with retries as (delete from crawl_run_retries where run_id = @id) delete from crawl_runs where id = @id";

    private readonly NpgsqlDataSource dataSource = dataSource ?? throw new ArgumentNullException(nameof(dataSource));
    private readonly NpgsqlDataSource reads = readDataSource ?? dataSource;
    private readonly Telemetry telemetry = new(dataSource, Table);
    private readonly ILogger log = logger.Guarded();

    /// <summary>Inserts a run.</summary>
    /// <param name="run">The run.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    /// <returns>The run as it was stored.</returns>
    /// <exception cref="RowAlreadyExistsException">A run with that id exists. The caller's transaction is aborted, as after any error of the
    /// server.</exception>
    /// <example>
    /// <code>
    /// var run = await runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app", MaxSteps = 50 });
    /// Console.WriteLine($"{run.Id} is {run.Status}");
    /// </code>
    /// </example>
    public async Task<CrawlRun> InsertAsync(NewCrawlRun run, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(run);
        return (await InsertAsync([run], transaction, cancellationToken).ConfigureAwait(false))[0];
    }

    /// <summary>Inserts runs: all or none. Without runs it does nothing.</summary>
    /// <remarks>Listings return the runs in the same order, unless <see cref="NewCrawlRun.CreatedAt"/> sets another.</remarks>
    /// <param name="runs">The runs.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    /// <returns>The runs as they were stored, in the same order.</returns>
    /// <exception cref="RowAlreadyExistsException">A run with one of the ids exists. The caller's transaction is aborted, as after any error of the
    /// server.</exception>
    /// <exception cref="InvalidValueException">One of the runs is null. Nothing is stored.</exception>
    public Task<IReadOnlyList<CrawlRun>> InsertAsync(
        IEnumerable<NewCrawlRun> runs, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(runs);
        return InsertAsync([.. runs.NamingIndex("runs")], Map, run => run.Id, transaction, cancellationToken);
    }

    /// <summary>Inserts runs, and maps the stored rows. An import maps only their ids, because it may store times that <see cref="Map"/> cannot read.</summary>
    internal async Task<IReadOnlyList<T>> InsertAsync<T>(
        NewCrawlRun[] rows, Func<DbDataReader, T> map, Func<T, Guid> id, NpgsqlTransaction? transaction, CancellationToken cancellationToken)
    {
        if (rows.Length == 0)
        {
            return [];
        }

        Guid[] ids = [.. rows.Select((run, index) =>
            (run ?? throw new InvalidValueException("runs", $"has null at index {index}")).Id ?? Uuid7.New())];
        var parameters = new Parameters
        {
            { "ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, ids },
            { "statuses", NpgsqlDbType.Array | NpgsqlDbType.Text, rows.Select(run => run.Status).ToLabels() },
            { "app_packages", NpgsqlDbType.Array | NpgsqlDbType.Text, rows.Select(run => run.AppPackage).ToArray() },
            { "device_configs", NpgsqlDbType.Array | NpgsqlDbType.Text, rows.Select(run => run.DeviceConfig?.Utf8).ToArray() },
            { "max_steps", NpgsqlDbType.Array | NpgsqlDbType.Integer, rows.Select(run => run.MaxSteps).ToArray() },
            { "goals", NpgsqlDbType.Array | NpgsqlDbType.Text, rows.Select(run => run.Goal).ToArray() },
            { "created_times", NpgsqlDbType.Array | NpgsqlDbType.TimestampTz, rows.Select(run => run.CreatedInstant).ToArray() },
            { "started_times", NpgsqlDbType.Array | NpgsqlDbType.TimestampTz, rows.Select(run => run.StartedInstant).ToArray() },
            { "completed_times", NpgsqlDbType.Array | NpgsqlDbType.TimestampTz, rows.Select(run => run.CompletedInstant).ToArray() },
            { "cancelled_times", NpgsqlDbType.Array | NpgsqlDbType.TimestampTz, rows.Select(run => run.CancelledInstant).ToArray() },
            { "error_messages", NpgsqlDbType.Array | NpgsqlDbType.Text, rows.Select(run => run.ErrorMessage).ToArray() },
            { "notify", NpgsqlDbType.Boolean, notify && rows.Any(run => run.Status == CrawlStatus.Pending) },
        };
        return await dataSource.InsertAsync(Table, InsertSql, parameters, ids, map, id, transaction, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Gets a run.</summary>
    /// <param name="id">The run.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <returns>The run; null when there is no run with that id.</returns>
    /// <exception cref="UnreadableRowException">This version, or .NET, cannot hold a value of the row.</exception>
    public Task<CrawlRun?> GetAsync(Guid id, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        reads.QuerySingleOrDefaultAsync(GetSql, new Parameters { { "id", NpgsqlDbType.Uuid, id } }, Map, transaction, cancellationToken);

    /// <summary>Lists runs by their time of creation, a page at a time.</summary>
    /// <remarks>A run that is inserted or deleted meanwhile makes no other run appear twice or get lost. It relies on the cursor, which holds the last run's
    /// key and not a row number.</remarks>
    /// <param name="filter">Which runs; all when null. Pass the same filter with every page of a listing.</param>
    /// <param name="pageSize">The most runs on the page, 1 to <see cref="MaxPageSize"/>.</param>
    /// <param name="cursor">The last page's <see cref="Page{T}.NextCursor"/>; null for the first page.</param>
    /// <param name="order">Newest or oldest first. Pass the same order with every page of a listing.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <returns>The page. It has no <see cref="Page{T}.NextCursor"/> when it is the last.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The page size is out of range, or the order is not defined.</exception>
    /// <exception cref="InvalidValueException">The cursor is not one that this method returned for this order.</exception>
    public async Task<Page<CrawlRun>> ListAsync(
        CrawlRunFilter? filter = null,
        int pageSize = 50,
        string? cursor = null,
        ListOrder order = ListOrder.NewestFirst,
        NpgsqlTransaction? transaction = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentRange.Require(pageSize, 1, MaxPageSize);
        var (newest, oldest) = await IsByStatusAsync(
            filter, order == ListOrder.NewestFirst ? filter?.CreatedFrom : filter?.CreatedBefore, transaction, cancellationToken).ConfigureAwait(false)
            ? (ListNewestByStatusSql, ListOldestByStatusSql)
            : (ListNewestSql, ListOldestSql);
        var (sql, kind) = order.Choose((newest, CursorKind.RunsNewestFirst), (oldest, CursorKind.RunsOldestFirst));
        var parameters = ToParameters(filter, order, cursor is null ? null : KeysetCursor<Guid>.Decode(cursor, kind));
        return await reads.QueryPageAsync(
            sql,
            parameters,
            pageSize,
            Map,
            row => new KeysetCursor<Guid>(row.GetInstant(6), row.GetGuid(0)),
            Bytes,
            last => last.Encode(kind),
            new PassedOverRows(telemetry, log),
            transaction,
            cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Counts runs by status.</summary>
    /// <param name="filter">Which runs; all when null.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <returns>A count for each status; 0 for a status without runs.</returns>
    public async Task<IReadOnlyDictionary<CrawlStatus, long>> CountByStatusAsync(
        CrawlRunFilter? filter = null, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        await reads.CountByLabelAsync<CrawlStatus>(
            Table,
            await IsByStatusAsync(filter, filter?.CreatedFrom ?? filter?.CreatedBefore, transaction, cancellationToken).ConfigureAwait(false)
                ? CountOfEachStatusSql
                : CountByStatusSql,
            ToParameters(filter, default, null),
            new PassedOverRows(telemetry, log),
            transaction,
            cancellationToken).ConfigureAwait(false);

    /// <summary>Starts a run: PENDING → RUNNING. It sets <c>started_at</c> to the time of the database's clock.</summary>
    /// <remarks>
    /// <para>Of two transitions that race, one is applied. The other is refused, and returns the run that the first one committed. It relies on the run's row
    /// lock, which the one statement takes first. In a transaction at REPEATABLE READ or above, the loser gets the server's SQLSTATE 40001 instead.</para>
    /// <para>A refusal is not thrown, and a missing run is not either. Check <see cref="Transition{T}.Outcome"/>, or call
    /// <see cref="Transition{T}.EnsureApplied"/>.</para>
    /// </remarks>
    /// <param name="id">The run.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    /// <returns>The outcome, and the run. The run is null when it does not exist.</returns>
    /// <example>
    /// <code>
    /// var transition = await runs.StartAsync(run.Id);
    /// if (transition.Outcome == TransitionOutcome.Applied)
    /// {
    ///     await CrawlAsync(transition.Row!);
    /// }
    /// </code>
    /// </example>
    public Task<Transition<CrawlRun>> StartAsync(Guid id, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        TransitionAsync("start", id, [CrawlStatus.Pending], CrawlStatus.Running, null, transaction, cancellationToken);

    /// <summary>Completes a run: RUNNING → COMPLETED. It sets <c>completed_at</c> to the time of the database's clock.</summary>
    /// <inheritdoc cref="StartAsync" path="/remarks"/>
    /// <param name="id">The run.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    /// <returns>The outcome, and the run. The run is null when it does not exist.</returns>
    /// <example>
    /// <code>
    /// await writer.FlushAsync(); // followers stop when the run has ended
    /// (await runs.CompleteAsync(run.Id)).EnsureApplied();
    /// </code>
    /// </example>
    public Task<Transition<CrawlRun>> CompleteAsync(Guid id, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        TransitionAsync("complete", id, [CrawlStatus.Running], CrawlStatus.Completed, null, transaction, cancellationToken);

    /// <summary>Fails a run: RUNNING → FAILED, or PENDING → FAILED for a run that never started. It stores the reason, and sets <c>completed_at</c> to the time
    /// of the database's clock.</summary>
    /// <inheritdoc cref="StartAsync" path="/remarks"/>
    /// <param name="id">The run.</param>
    /// <param name="errorMessage">The reason. Pass text from a crawled page through <see cref="CrawledText.Repair"/> first.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    /// <returns>The outcome, and the run. The run is null when it does not exist.</returns>
    /// <exception cref="InvalidValueException">The message holds U+0000 or a lone surrogate.</exception>
    public Task<Transition<CrawlRun>> FailAsync(
        Guid id, string errorMessage, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        CrawledText.Require(errorMessage, "error_message");
        return TransitionAsync("fail", id, [CrawlStatus.Pending, CrawlStatus.Running], CrawlStatus.Failed, errorMessage, transaction, cancellationToken);
    }

    /// <summary>Cancels a run: PENDING or RUNNING → CANCELLED. It sets <c>cancelled_at</c> to the time of the database's clock.</summary>
    /// <inheritdoc cref="StartAsync" path="/remarks"/>
    /// <param name="id">The run.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    /// <returns>The outcome, and the run. The run is null when it does not exist.</returns>
    public Task<Transition<CrawlRun>> CancelAsync(Guid id, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        TransitionAsync("cancel", id, [CrawlStatus.Pending, CrawlStatus.Running], CrawlStatus.Cancelled, null, transaction, cancellationToken);

    /// <summary>Deletes a run and all its events.</summary>
    /// <remarks>It is one statement. Its duration grows with the number of events.</remarks>
    /// <param name="id">The run.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    /// <returns>Whether the run existed.</returns>
    public async Task<bool> DeleteAsync(Guid id, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        var parameters = new Parameters { { "id", NpgsqlDbType.Uuid, id } };
        Connections.ThrowIfAmbient(transaction);
        var distribution = await CrawlDistribution.OfAsync(dataSource, transaction, cancellationToken).ConfigureAwait(false);
        var sql = distribution.IsByCrawl ? DeleteByCrawlSql : DeleteSql;
        return await dataSource.ExecuteAsync(sql, parameters, transaction, cancellationToken).ConfigureAwait(false) == 1;
    }

    private Task<Transition<CrawlRun>> TransitionAsync(
        string name, Guid id, CrawlStatus[] from, CrawlStatus to, string? errorMessage, NpgsqlTransaction? transaction, CancellationToken cancellationToken)
    {
        var allowed = from.ToLabels()!;
        var parameters = new Parameters
        {
            { "id", NpgsqlDbType.Uuid, id },
            { "from", NpgsqlDbType.Array | NpgsqlDbType.Text, allowed },
            { "to", NpgsqlDbType.Text, to.ToLabel() },
            { "error_message", NpgsqlDbType.Text, errorMessage },
        };
        return dataSource.RunTransitionAsync(
            new TransitionRule(Table, name, allowed), id, TransitionSql, parameters, Map, (run, _) => run.Status.ToLabel(), transaction, cancellationToken);
    }

    // A page ends at these bytes.
    private static long Bytes(CrawlRun run) => (run.DeviceConfig?.Utf8.Length ?? 0) + (run.Goal?.Length ?? 0) + (run.ErrorMessage?.Length ?? 0);

    internal static CrawlRun Map(DbDataReader row) => new()
    {
        Id = row.GetGuid(0),
        Status = row.GetLabel<CrawlStatus>(Table, 1),
        AppPackage = row.GetString(2),
        DeviceConfig = row.IsDBNull(3) ? null : row.GetJsonb(3),
        MaxSteps = row.GetInt32(4),
        Goal = row.GetNullable<string>(5),
        CreatedAt = row.GetTime(Table, 6),
        StartedAt = row.GetNullableTime(Table, 7),
        CompletedAt = row.GetNullableTime(Table, 8),
        CancelledAt = row.GetNullableTime(Table, 9),
        ErrorMessage = row.GetNullable<string>(10),
    };

    /// <summary>Whether the indexes on the status serve a read. A read that ends at a time is served by the index on creation, and passes over other runs of
    /// its range. The other indexes do not end the server's search at a time. Where each crawl has a node of its own, Citus does not read one status after
    /// another.</summary>
    private async ValueTask<bool> IsByStatusAsync(
        CrawlRunFilter? filter, DateTimeOffset? end, NpgsqlTransaction? transaction, CancellationToken cancellationToken) =>
        end is null
        && filter is not (null or { Statuses: null, AppPackage: null })
        && !(await CrawlDistribution.OfAsync(reads, transaction, cancellationToken).ConfigureAwait(false)).IsByCrawl;

    private static Parameters ToParameters(CrawlRunFilter? filter, ListOrder order, KeysetCursor<Guid>? cursor)
    {
        filter ??= CrawlRunFilter.All;
        var parameters = new Parameters
        {
            { "statuses", NpgsqlDbType.Array | NpgsqlDbType.Text, filter.Statuses?.Distinct().ToLabels() },
            { "app_package", NpgsqlDbType.Text, filter.AppPackage },
        };
        parameters.AddRange(order, cursor, filter.CreatedFrom, filter.CreatedBefore);
        return parameters;
    }
}
