using Dapper;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Crawls;

/// <summary>The table <c>crawl_runs</c>. Safe for use by many tasks at once.</summary>
/// <remarks>Methods that write take the caller's transaction; without one each is a transaction of its own. Errors of the server and of the connection come as
/// <see cref="NpgsqlException"/>.</remarks>
/// <param name="dataSource">The application's data source; it stays the application's to dispose of.</param>
public sealed class CrawlRunRepository(NpgsqlDataSource dataSource)
{
    /// <summary>The most runs on a page.</summary>
    public const int LargestPageSize = 1_000;

    // device_config comes last, where the mapping splits the row.
    private const string Columns =
        """
        id as Id, status::text as Status, app_package as AppPackage, max_steps as MaxSteps, goal as Goal,
        created_at at time zone 'utc' as CreatedAt, started_at at time zone 'utc' as StartedAt,
        completed_at at time zone 'utc' as CompletedAt, cancelled_at at time zone 'utc' as CancelledAt,
        error_message as ErrorMessage, device_config::text as device_config
        """;

    internal const string InsertSql =
        $"""
        insert into crawl_runs (id, status, app_package, device_config, max_steps, goal,
                                created_at, started_at, completed_at, cancelled_at, error_message)
        values (@id, @status::crawl_status, @app_package, @device_config, @max_steps, @goal,
                coalesce(@created_at, now() at time zone 'utc'), @started_at, @completed_at, @cancelled_at, @error_message)
        returning {Columns}
        """;

    internal const string GetSql = $"select {Columns} from crawl_runs where id = @id";

    // The first page starts before every row: created_at is never infinity here.
    internal const string ListSql =
        $"""
        select {Columns}
        from crawl_runs
        where (created_at, id) < (@cursor_created_at, @cursor_id)
          and created_at >= @created_from
          and created_at < @created_before
          and (@statuses is null or status = any (@statuses::crawl_status[]))
          and (@app_package is null or app_package = @app_package)
        order by created_at desc, id desc
        limit @limit
        """;

    internal const string CountByStatusSql =
        """
        select status::text, count(*)
        from crawl_runs
        where created_at >= @created_from
          and created_at < @created_before
          and (@statuses is null or status = any (@statuses::crawl_status[]))
          and (@app_package is null or app_package = @app_package)
        group by status
        """;

    // The row is locked and read first, so that who loses a race sees what the winner committed and not its own older snapshot.
    // clock_timestamp(), since a transaction may have begun long before it comes here.
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

    /// <summary>Creates a run.</summary>
    /// <returns>The row as it was stored.</returns>
    /// <exception cref="CrawlAlreadyExistsException">A run with that id exists. A transaction of the caller's is then aborted, as after any error of the
    /// server.</exception>
    public async Task<CrawlRun> CreateAsync(NewCrawlRun run, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(run);
        var id = run.Id ?? Guid.CreateVersion7();
        try
        {
            var rows = await QueryAsync(InsertSql, new Parameters
            {
                { "id", NpgsqlDbType.Uuid, id },
                { "status", NpgsqlDbType.Text, ToText(run.Status) },
                { "app_package", NpgsqlDbType.Varchar, run.AppPackage },
                { "device_config", NpgsqlDbType.Jsonb, run.DeviceConfig?.Utf8 },
                { "max_steps", NpgsqlDbType.Integer, run.MaxSteps },
                { "goal", NpgsqlDbType.Text, run.Goal },
                { "created_at", NpgsqlDbType.Timestamp, Timestamps.ToZoneless(run.CreatedAt) },
                { "started_at", NpgsqlDbType.Timestamp, Timestamps.ToZoneless(run.StartedAt) },
                { "completed_at", NpgsqlDbType.Timestamp, Timestamps.ToZoneless(run.CompletedAt) },
                { "cancelled_at", NpgsqlDbType.Timestamp, Timestamps.ToZoneless(run.CancelledAt) },
                { "error_message", NpgsqlDbType.Text, run.ErrorMessage },
            }, transaction, cancellationToken).ConfigureAwait(false);
            return rows[0];
        }
        catch (PostgresException exception) when (exception is { SqlState: PostgresErrorCodes.UniqueViolation, TableName: "crawl_runs" })
        {
            throw new CrawlAlreadyExistsException(id, exception);
        }
    }

    /// <summary>Gets a run; null when there is none.</summary>
    public async Task<CrawlRun?> GetAsync(Guid id, CancellationToken cancellationToken = default)
    {
        var rows = await QueryAsync(GetSql, new Parameters { { "id", NpgsqlDbType.Uuid, id } }, null, cancellationToken).ConfigureAwait(false);
        return rows.SingleOrDefault();
    }

    /// <summary>Lists runs, newest first, a page at a time.</summary>
    /// <param name="filter">Which runs; all when null. Give the same filter with every page of a listing.</param>
    /// <param name="pageSize">The most runs on the page, 1 to <see cref="LargestPageSize"/>.</param>
    /// <param name="cursor">The page before's <see cref="Page{T}.NextCursor"/>; null for the first page. A page starts after a run, not at a number: rows
    /// that come or go meanwhile
    /// make no other row appear twice or be passed over.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <exception cref="InvalidValueException">The cursor is not one that this method returned.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The page size is out of range.</exception>
    public async Task<Page<CrawlRun>> ListAsync(
        CrawlRunFilter? filter = null, int pageSize = 50, string? cursor = null, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(pageSize, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(pageSize, LargestPageSize);
        var after = cursor is null ? (KeysetCursor?)null : KeysetCursor.Decode(cursor);
        var parameters = ToParameters(filter ?? CrawlRunFilter.All);
        parameters.Add("cursor_created_at", NpgsqlDbType.Timestamp, Timestamps.ToZoneless(after?.CreatedAt) ?? DateTime.MaxValue);
        parameters.Add("cursor_id", NpgsqlDbType.Uuid, after?.Id ?? Guid.AllBitsSet);
        parameters.Add("limit", NpgsqlDbType.Integer, pageSize + 1);

        var rows = await QueryAsync(ListSql, parameters, null, cancellationToken).ConfigureAwait(false);
        if (rows.Count <= pageSize)
        {
            return new Page<CrawlRun> { Items = rows };
        }

        rows.RemoveAt(pageSize);
        return new Page<CrawlRun> { Items = rows, NextCursor = new KeysetCursor(rows[^1].CreatedAt, rows[^1].Id).Encode() };
    }

    /// <summary>Counts runs by status.</summary>
    /// <param name="filter">Which runs; all when null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <returns>A count for every status, 0 where there is no run.</returns>
    public async Task<IReadOnlyDictionary<CrawlStatus, long>> CountByStatusAsync(CrawlRunFilter? filter = null, CancellationToken cancellationToken = default)
    {
        var command = ToParameters(filter ?? CrawlRunFilter.All).ToDapper(CountByStatusSql, null, cancellationToken);
        var rows = await dataSource.UseAsync(
            null, connection => connection.QueryAsync<(CrawlStatus Status, long Count)>(command), cancellationToken).ConfigureAwait(false);
        var counts = Enum.GetValues<CrawlStatus>().ToDictionary(status => status, _ => 0L);
        foreach (var (status, count) in rows)
        {
            counts[status] = count;
        }

        return counts;
    }

    /// <summary>PENDING → RUNNING; stamps <c>started_at</c> with the database's clock.</summary>
    /// <remarks>One atomic statement, which takes the run's row lock: of two transitions that race, one is applied, and the other is refused and sees what
    /// the first committed. In a
    /// transaction at REPEATABLE READ or above the loser gets the server's 40001 instead.</remarks>
    public Task<CrawlTransition> StartAsync(Guid id, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        TransitionAsync(id, [CrawlStatus.Pending], CrawlStatus.Running, null, transaction, cancellationToken);

    /// <summary>RUNNING → COMPLETED; stamps <c>completed_at</c>.</summary>
    /// <inheritdoc cref="StartAsync" path="/remarks"/>
    public Task<CrawlTransition> CompleteAsync(Guid id, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        TransitionAsync(id, [CrawlStatus.Running], CrawlStatus.Completed, null, transaction, cancellationToken);

    /// <summary>RUNNING → FAILED, or PENDING → FAILED for a run that never started; stamps <c>completed_at</c> and keeps the reason.</summary>
    /// <inheritdoc cref="StartAsync" path="/remarks"/>
    /// <param name="id">The run.</param>
    /// <param name="errorMessage">Why it failed. Text that a crawled page had a part in goes through <see cref="CrawledText.Repair"/> first.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    /// <exception cref="InvalidValueException">The message holds U+0000 or a lone surrogate.</exception>
    public Task<CrawlTransition> FailAsync(
        Guid id, string errorMessage, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        CrawledText.Require(errorMessage, "error_message");
        return TransitionAsync(id, [CrawlStatus.Pending, CrawlStatus.Running], CrawlStatus.Failed, errorMessage, transaction, cancellationToken);
    }

    /// <summary>PENDING or RUNNING → CANCELLED; stamps <c>cancelled_at</c>.</summary>
    /// <inheritdoc cref="StartAsync" path="/remarks"/>
    public Task<CrawlTransition> CancelAsync(Guid id, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default) =>
        TransitionAsync(id, [CrawlStatus.Pending, CrawlStatus.Running], CrawlStatus.Cancelled, null, transaction, cancellationToken);

    /// <summary>Deletes a run with all its events, in one statement: it takes as long as the events are many.</summary>
    /// <returns>Whether there was such a run.</returns>
    public async Task<bool> DeleteAsync(Guid id, NpgsqlTransaction? transaction = null, CancellationToken cancellationToken = default)
    {
        var command = new Parameters { { "id", NpgsqlDbType.Uuid, id } }.ToDapper(DeleteSql, transaction, cancellationToken);
        return await dataSource.UseAsync(transaction, connection => connection.ExecuteAsync(command), cancellationToken).ConfigureAwait(false) == 1;
    }

    private async Task<CrawlTransition> TransitionAsync(
        Guid id, CrawlStatus[] from, CrawlStatus to, string? errorMessage, NpgsqlTransaction? transaction, CancellationToken cancellationToken)
    {
        var command = new Parameters
        {
            { "id", NpgsqlDbType.Uuid, id },
            { "from", NpgsqlDbType.Array | NpgsqlDbType.Text, from.Select(ToText).ToArray() },
            { "to", NpgsqlDbType.Text, ToText(to) },
            { "error_message", NpgsqlDbType.Text, errorMessage },
        }.ToDapper(TransitionSql, transaction, cancellationToken);
        var rows = await dataSource.UseAsync(
            transaction,
            connection => connection.QueryAsync<CrawlRun, string?, bool, CrawlTransition>(command, ToTransition, "device_config,applied"),
            cancellationToken).ConfigureAwait(false);
        return rows.SingleOrDefault() ?? CrawlTransition.NotFound;
    }

    private async Task<List<CrawlRun>> QueryAsync(string sql, Parameters parameters, NpgsqlTransaction? transaction, CancellationToken cancellationToken)
    {
        var command = parameters.ToDapper(sql, transaction, cancellationToken);
        var rows = await dataSource.UseAsync(
            transaction,
            connection => connection.QueryAsync<CrawlRun, string?, CrawlRun>(command, WithDeviceConfig, "device_config"),
            cancellationToken).ConfigureAwait(false);
        return rows.AsList();
    }

    // Mapped here and not by a type handler: those are process-wide, the application's to add and to reset.
    private static CrawlRun WithDeviceConfig(CrawlRun run, string? deviceConfig) =>
        deviceConfig is null ? run : run with { DeviceConfig = Jsonb.FromDatabase(deviceConfig) };

    private static CrawlTransition ToTransition(CrawlRun run, string? deviceConfig, bool applied) => new()
    {
        Outcome = applied ? CrawlTransitionOutcome.Applied : CrawlTransitionOutcome.Refused,
        Run = WithDeviceConfig(run, deviceConfig),
    };

    private static Parameters ToParameters(CrawlRunFilter filter) => new()
    {
        { "statuses", NpgsqlDbType.Array | NpgsqlDbType.Text, filter.Statuses?.Select(ToText).ToArray() },
        { "app_package", NpgsqlDbType.Text, filter.AppPackage },
        { "created_from", NpgsqlDbType.Timestamp, Timestamps.ToZoneless(filter.CreatedFrom) ?? DateTime.MinValue },
        { "created_before", NpgsqlDbType.Timestamp, Timestamps.ToZoneless(filter.CreatedBefore) ?? DateTime.MaxValue },
    };

    // As text, and cast in the statement: Npgsql's enum mapping goes stale when a migration makes the type.
    private static string ToText(CrawlStatus status) => status switch
    {
        CrawlStatus.Pending => "PENDING",
        CrawlStatus.Running => "RUNNING",
        CrawlStatus.Completed => "COMPLETED",
        CrawlStatus.Failed => "FAILED",
        CrawlStatus.Cancelled => "CANCELLED",
        _ => throw new InvalidValueException("status", $"is {(int)status}, which is not a CrawlStatus"),
    };
}
