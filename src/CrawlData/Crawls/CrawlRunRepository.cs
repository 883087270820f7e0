using System.Data.Common;
using CrawlData.Storage;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Crawls;

/// <summary>The table <c>crawl_runs</c>. Safe for use by many tasks at once.</summary>
/// <remarks>Methods that write take the caller's transaction; without one each is a transaction of its own. Errors of the server and of the connection come
/// as <see cref="NpgsqlException"/>.</remarks>
/// <param name="dataSource">The application's data source; it stays the application's to dispose of.</param>
/// <param name="readDataSource">Where what only reads goes when it is in no transaction, to get, list and count: a hot standby, say, which lags behind.
/// What is inserted, changed or deleted does not go there. The data source when null.</param>
public sealed class CrawlRunRepository(NpgsqlDataSource dataSource, NpgsqlDataSource? readDataSource = null)
{
    /// <summary>The most runs on a page.</summary>
    public const int MaxPageSize = 1_000;

    private const string Table = "crawl_runs";

    // In the order in which Map reads them.
    private const string Columns =
        """
        id, status::text, app_package, device_config, max_steps, goal, created_at, started_at, completed_at, cancelled_at, error_message
        """;

    // The clock is read for each row, in their order, so that runs that are inserted together are listed in their order.
    internal const string InsertSql =
        $"""
        insert into crawl_runs (id, status, app_package, device_config, max_steps, goal, created_at, started_at, completed_at, cancelled_at, error_message)
        select id, status::crawl_status, app_package, device_config::jsonb, max_steps, goal, coalesce(created_at, clock_timestamp()) at time zone 'utc',
               started_at at time zone 'utc', completed_at at time zone 'utc', cancelled_at at time zone 'utc', error_message
        from unnest(@ids, @statuses, @app_packages, @device_configs, @max_steps, @goals, @created_times, @started_times, @completed_times, @cancelled_times,
                    @error_messages)
            with ordinality as runs (id, status, app_package, device_config, max_steps, goal, created_at, started_at, completed_at, cancelled_at,
                                     error_message, position)
        order by position
        returning {Columns}
        """;

    internal const string GetSql = $"select {Columns} from crawl_runs where id = @id";

    private const string Condition =
        """
        where (created_at, id) > (@after_time at time zone 'utc', @after_key)
          and (created_at, id) < (@before_time at time zone 'utc', @before_key)
          and created_at >= @from_time at time zone 'utc'
          and (@statuses is null or status = any (@statuses::crawl_status[]))
          and (@app_package is null or app_package = @app_package)
        """;

    internal const string ListNewestSql = $"select {Columns} from crawl_runs {Condition} order by created_at desc, id desc limit @limit";

    internal const string ListOldestSql = $"select {Columns} from crawl_runs {Condition} order by created_at, id limit @limit";

    internal const string CountByStatusSql = $"select status::text, count(*) from crawl_runs {Condition} group by status";

    // The row is locked and read first, so that who loses a race sees what the winner committed and not its own older snapshot. clock_timestamp(), since a
    // transaction may have begun long before it comes here.
    internal const string TransitionSql =
        $"""
        with standing as materialized (
            select * from crawl_runs where id = @id for no key update
        ), changed as (
            update crawl_runs
            set status = @to::crawl_status,
                started_at = case when @to = 'RUNNING' then clock_timestamp() at time zone 'utc' else crawl_runs.started_at end,
                completed_at = case when @to in ('COMPLETED', 'FAILED') then clock_timestamp() at time zone 'utc' else crawl_runs.completed_at end,
                cancelled_at = case when @to = 'CANCELLED' then clock_timestamp() at time zone 'utc' else crawl_runs.cancelled_at end,
                error_message = coalesce(@error_message, crawl_runs.error_message)
            from standing
            where crawl_runs.id = standing.id and standing.status = any (@from::crawl_status[])
            returning crawl_runs.*
        )
        select {Columns}, true as applied from changed
        union all
        select {Columns}, false as applied from standing where not exists (select from changed)
        """;

    internal const string DeleteSql = "delete from crawl_runs where id = @id";

    private readonly NpgsqlDataSource dataSource = dataSource ?? throw new ArgumentNullException(nameof(dataSource));
    private readonly NpgsqlDataSource reads = readDataSource ?? dataSource;

    /// <summary>Inserts a run.</summary>
    /// <returns>The row as it was stored.</returns>
    /// <exception cref="RowAlreadyExistsException">A run with that id exists. A transaction of the caller's is then aborted, as after any error of the
    /// server.</exception>
    public async Task<CrawlRun> InsertAsync(NewCrawlRun run, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(run);
        return (await InsertAsync([run], transaction, cancellationToken).ConfigureAwait(false))[0];
    }

    /// <summary>Inserts runs, all or none. They are listed in their order, unless their <see cref="NewCrawlRun.CreatedAt"/> says otherwise.</summary>
    /// <returns>The rows as they were stored, in the order of the runs.</returns>
    /// <exception cref="RowAlreadyExistsException">A run with one of the ids exists. A transaction of the caller's is then aborted, as after any error of the
    /// server.</exception>
    /// <exception cref="InvalidValueException">One of the runs is null.</exception>
    public async Task<IReadOnlyList<CrawlRun>> InsertAsync(
        IEnumerable<NewCrawlRun> runs, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(runs);
        NewCrawlRun[] rows = [.. runs];
        if (rows.Length == 0)
        {
            return [];
        }

        Guid[] ids = [.. rows.Select((run, index) =>
            (run ?? throw new InvalidValueException("runs", $"has null at index {index}")).Id ?? Guid.CreateVersion7())];
        var parameters = new Parameters
        {
            { "ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, ids },
            { "statuses", NpgsqlDbType.Array | NpgsqlDbType.Text, rows.Select(run => run.Status).ToLabels() },
            { "app_packages", NpgsqlDbType.Array | NpgsqlDbType.Text, rows.Select(run => run.AppPackage).ToArray() },
            { "device_configs", NpgsqlDbType.Array | NpgsqlDbType.Text, rows.Select(run => run.DeviceConfig?.Utf8).ToArray() },
            { "max_steps", NpgsqlDbType.Array | NpgsqlDbType.Integer, rows.Select(run => run.MaxSteps).ToArray() },
            { "goals", NpgsqlDbType.Array | NpgsqlDbType.Text, rows.Select(run => run.Goal).ToArray() },
            { "created_times", NpgsqlDbType.Array | NpgsqlDbType.TimestampTz, rows.Select(run => run.CreatedAt).ToArray() },
            { "started_times", NpgsqlDbType.Array | NpgsqlDbType.TimestampTz, rows.Select(run => run.StartedAt).ToArray() },
            { "completed_times", NpgsqlDbType.Array | NpgsqlDbType.TimestampTz, rows.Select(run => run.CompletedAt).ToArray() },
            { "cancelled_times", NpgsqlDbType.Array | NpgsqlDbType.TimestampTz, rows.Select(run => run.CancelledAt).ToArray() },
            { "error_messages", NpgsqlDbType.Array | NpgsqlDbType.Text, rows.Select(run => run.ErrorMessage).ToArray() },
        };
        return await dataSource.InsertAsync(Table, InsertSql, parameters, ids, Map, run => run.Id, transaction, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Gets a run; null when there is none.</summary>
    public Task<CrawlRun?> GetAsync(Guid id, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        reads.QuerySingleOrDefaultAsync(GetSql, new Parameters { { "id", NpgsqlDbType.Uuid, id } }, Map, transaction, cancellationToken);

    /// <summary>Lists runs by their time of creation, a page at a time.</summary>
    /// <param name="filter">Which runs; all when null. Give the same filter with every page of a listing.</param>
    /// <param name="pageSize">The most runs on the page, 1 to <see cref="MaxPageSize"/>.</param>
    /// <param name="cursor">The page before's <see cref="Page{T}.NextCursor"/>; null for the first page. A page starts after a run, not at a number: rows
    /// that come or go meanwhile make no other row appear twice or be passed over.</param>
    /// <param name="order">Newest or oldest first. Give the same with every page of a listing.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <exception cref="InvalidValueException">The cursor is not one that this method returned, the page size is out of range, or the order is
    /// none.</exception>
    public async Task<Page<CrawlRun>> ListAsync(
        CrawlRunFilter? filter = null,
        int pageSize = 50,
        string? cursor = null,
        ListOrder order = ListOrder.NewestFirst,
        NpgsqlTransaction? transaction = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentRange.Require(pageSize, 1, MaxPageSize);
        var (sql, kind) = order.Choose((ListNewestSql, CursorKind.RunsNewestFirst), (ListOldestSql, CursorKind.RunsOldestFirst));
        var parameters = ToParameters(filter, order, cursor is null ? null : KeysetCursor<Guid>.Decode(cursor, kind));
        parameters.Add("limit", NpgsqlDbType.Integer, pageSize + 1);
        var rows = await reads.QueryAsync(sql, parameters, Map, transaction, cancellationToken).ConfigureAwait(false);
        return PageBuilder.Build(rows, pageSize, last => new KeysetCursor<Guid>(last.CreatedAt, last.Id).Encode(kind));
    }

    /// <summary>Counts runs by status.</summary>
    /// <param name="filter">Which runs; all when null.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <returns>A count for every status, 0 where there is no run.</returns>
    public Task<IReadOnlyDictionary<CrawlStatus, long>> CountByStatusAsync(
        CrawlRunFilter? filter = null, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        reads.CountByLabelAsync<CrawlStatus>(CountByStatusSql, ToParameters(filter, default, null), transaction, cancellationToken);

    /// <summary>PENDING → RUNNING; stamps <c>started_at</c> with the database's clock.</summary>
    /// <remarks>One atomic statement, which takes the run's row lock: of two transitions that race, one is applied, and the other is refused and sees what
    /// the first committed. In a transaction at REPEATABLE READ or above the loser gets the server's 40001 instead. Neither a refusal nor a run that is not there throws: look
    /// at the <see cref="Transition{T}.Outcome"/>, or say <see cref="Transition{T}.EnsureApplied"/>.</remarks>
    public Task<Transition<CrawlRun>> StartAsync(Guid id, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        TransitionAsync("start", id, [CrawlStatus.Pending], CrawlStatus.Running, null, transaction, cancellationToken);

    /// <summary>RUNNING → COMPLETED; stamps <c>completed_at</c>.</summary>
    /// <inheritdoc cref="StartAsync" path="/remarks"/>
    public Task<Transition<CrawlRun>> CompleteAsync(Guid id, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        TransitionAsync("complete", id, [CrawlStatus.Running], CrawlStatus.Completed, null, transaction, cancellationToken);

    /// <summary>RUNNING → FAILED, or PENDING → FAILED for a run that never started; stamps <c>completed_at</c> and keeps the reason.</summary>
    /// <inheritdoc cref="StartAsync" path="/remarks"/>
    /// <param name="id">The run.</param>
    /// <param name="errorMessage">Why it failed. Text that a crawled page had a part in goes through <see cref="CrawledText.Repair"/> first.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    /// <exception cref="InvalidValueException">The message holds U+0000 or a lone surrogate.</exception>
    public Task<Transition<CrawlRun>> FailAsync(
        Guid id, string errorMessage, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        CrawledText.Require(errorMessage, "error_message");
        return TransitionAsync("fail", id, [CrawlStatus.Pending, CrawlStatus.Running], CrawlStatus.Failed, errorMessage, transaction, cancellationToken);
    }

    /// <summary>PENDING or RUNNING → CANCELLED; stamps <c>cancelled_at</c>.</summary>
    /// <inheritdoc cref="StartAsync" path="/remarks"/>
    public Task<Transition<CrawlRun>> CancelAsync(Guid id, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        TransitionAsync("cancel", id, [CrawlStatus.Pending, CrawlStatus.Running], CrawlStatus.Cancelled, null, transaction, cancellationToken);

    /// <summary>Deletes a run with all its events, in one statement: it takes as long as the events are many.</summary>
    /// <returns>Whether there was such a run.</returns>
    public async Task<bool> DeleteAsync(Guid id, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        var parameters = new Parameters { { "id", NpgsqlDbType.Uuid, id } };
        return await dataSource.ExecuteAsync(DeleteSql, parameters, transaction, cancellationToken).ConfigureAwait(false) == 1;
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
            new TransitionRule(Table, name, allowed), id, TransitionSql, parameters, Map, run => run.Status.ToLabel(), transaction, cancellationToken);
    }

    private static CrawlRun Map(DbDataReader row) => new()
    {
        Id = row.GetGuid(0),
        Status = row.GetLabel<CrawlStatus>(1),
        AppPackage = row.GetString(2),
        DeviceConfig = row.IsDBNull(3) ? null : row.GetJsonb(3),
        MaxSteps = row.GetInt32(4),
        Goal = row.GetNullable<string>(5),
        CreatedAt = row.GetInstant(6),
        StartedAt = row.GetNullableInstant(7),
        CompletedAt = row.GetNullableInstant(8),
        CancelledAt = row.GetNullableInstant(9),
        ErrorMessage = row.GetNullable<string>(10),
    };

    private static Parameters ToParameters(CrawlRunFilter? filter, ListOrder order, KeysetCursor<Guid>? cursor)
    {
        filter ??= CrawlRunFilter.All;
        var parameters = new Parameters
        {
            { "statuses", NpgsqlDbType.Array | NpgsqlDbType.Text, filter.Statuses.ToLabels() },
            { "app_package", NpgsqlDbType.Text, filter.AppPackage },
        };
        parameters.AddRange(order, cursor, filter.CreatedFrom, filter.CreatedBefore);
        return parameters;
    }
}
