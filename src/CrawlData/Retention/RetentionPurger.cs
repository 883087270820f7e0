using CrawlData.Crawls;
using CrawlData.Instrumentation;
using CrawlData.Storage;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Retention;

/// <summary>Purges rows that have been kept long enough: rows of deleted artifacts, whole sessions, and whole crawls.</summary>
/// <remarks>
/// <para>It works in small transactions, so no transaction grows with the number of old rows. A purge that is cancelled, killed, or failed keeps what it has
/// committed, and the next purge resumes there. Purges may run concurrently, in any number of processes. Each locks its rows and skips those that another has
/// locked (<c>skip locked</c>).</para>
/// <para>Errors of the server and of the connection are thrown as <see cref="NpgsqlException"/>.</para>
/// </remarks>
/// <param name="dataSource">The application's data source. The application disposes it.</param>
/// <param name="logger">Logs each purge's totals; may be null.</param>
public sealed partial class RetentionPurger(NpgsqlDataSource dataSource, ILogger<RetentionPurger>? logger = null)
{
    /// <summary>The largest batch: 100,000 rows.</summary>
    public const int MaxBatchSize = 100_000;

    // The number of sessions or crawls that are locked at a time.
    private const int ParentsInPage = 100;

    internal const string DeleteMarkedSql =
        """
        delete from artifacts
        where id = any (array(select id from artifacts where deleted_at < pg_catalog.now() - @age order by deleted_at limit @limit for update skip locked))
        """;

    internal const string CountMarkedSql = "select pg_catalog.count(*) from artifacts where deleted_at < pg_catalog.now() - @age";

    internal const string CutoffSql = "select pg_catalog.now() - @age";

    // A page of each status, by the index on (status, created_at). No column says when a session ended: the last line of its log stands in for it.
    internal const string ListOldSessionsSql =
        """
        select id, created_at
        from pg_catalog.unnest('{completed, partial, failed}'::audit_session_status_enum[]) as ended (ended_status)
        cross join lateral (
            select id, created_at from audit_sessions
            where status operator(pg_catalog.=) ended_status and created_at < @cutoff and (created_at, id) > (@after_time, @after_key)
              and not exists (select from crawl_logs where crawl_logs.session_id = audit_sessions.id and crawl_logs.timestamp >= @cutoff)
            order by created_at, id
            limit @limit
        ) as sessions
        order by created_at, id
        limit @limit
        """;

    // By its row alone. What else a session needs is read by the next statement, whose snapshot holds what was committed before the lock.
    internal const string LockSessionsSql =
        "select id from audit_sessions where id = any (@ids) and status::text in ('completed', 'partial', 'failed') for update skip locked";

    internal const string ListDeletableSessionsSql =
        """
        select id from audit_sessions
        where id = any (@ids) and status::text in ('completed', 'partial', 'failed') and created_at < @cutoff
          and not exists (select from crawl_logs where crawl_logs.session_id = audit_sessions.id and crawl_logs.timestamp >= @cutoff)
          and (@abandon_artifacts or not exists (select from artifacts where artifacts.session_id = audit_sessions.id and artifacts.deleted_at is null))
        """;

    internal const string DeleteLogsSql =
        "delete from crawl_logs where id = any (array(select id from crawl_logs where session_id = any (@ids) limit @limit))";

    internal const string DeleteArtifactsSql =
        "delete from artifacts where id = any (array(select id from artifacts where session_id = any (@ids) limit @limit))";

    internal const string DeletePagesSql =
        "delete from audit_pages where id = any (array(select id from audit_pages where session_id = any (@ids) limit @limit))";

    internal const string DeleteSessionsSql = "delete from audit_sessions where id = any (@ids)";

    internal const string CountSessionRowsSql =
        """
        select (select pg_catalog.count(*) from crawl_logs where session_id = any (@ids))
             + (select pg_catalog.count(*) from artifacts where session_id = any (@ids))
             + (select pg_catalog.count(*) from audit_pages where session_id = any (@ids))
        """;

    private const string HasEndedLongAgo =
        """
        created_at < @cutoff at time zone 'utc'
          and status operator(pg_catalog.=) any ('{COMPLETED, FAILED, CANCELLED}')
          and coalesce(completed_at, cancelled_at, created_at) < @cutoff at time zone 'utc'
        """;

    // The last event by its id. No index has the events of a crawl by their time.
    private const string IsOldCrawl =
        $"""
        {HasEndedLongAgo}
          and coalesce(
              (select created_at from crawl_events where {CrawlEventStatements.OfRun} order by crawl_id desc, id desc limit 1) < @cutoff at time zone 'utc',
              true)
        """;

    // As above, where each crawl has a node of its own: Citus sees by the equality that a run's events are beside it.
    private const string IsOldByCrawl =
        $"""
        {HasEndedLongAgo}
          and coalesce(
              (select created_at from crawl_events where crawl_id = crawl_runs.id order by crawl_id desc, id desc limit 1) < @cutoff at time zone 'utc',
              true)
        """;

    internal const string ListOldCrawlsSql =
        $"""
        select id, created_at
        from crawl_runs
        where (created_at, id) > (@after_time at time zone 'utc', @after_key) and {IsOldCrawl}
        order by created_at, id
        limit @limit
        """;

    internal const string ListOldByCrawlSql =
        $"""
        select id, created_at
        from crawl_runs
        where (created_at, id) > (@after_time at time zone 'utc', @after_key) and {IsOldByCrawl}
        order by created_at, id
        limit @limit
        """;

    internal const string LockCrawlsSql =
        "select id from crawl_runs where id = any (@ids) and status::text in ('COMPLETED', 'FAILED', 'CANCELLED') for update skip locked";

    internal const string ListDeletableCrawlsSql = $"select id from crawl_runs where id = any (@ids) and {IsOldCrawl}";

    internal const string ListDeletableByCrawlSql = $"select id from crawl_runs where id = any (@ids) and {IsOldByCrawl}";

    internal const string DeleteEventsSql =
        "delete from crawl_events where id = any (array(select id from crawl_events where crawl_id = any (@ids) limit @limit))";

    internal const string DeleteCrawlsSql = "delete from crawl_runs where id = any (@ids)";

    // The retries are on the coordinator, where no foreign key deletes them with their runs.
    internal const string DeleteByCrawlSql =
        "with retries as (delete from crawl_run_retries where run_id = any (@ids)) delete from crawl_runs where id = any (@ids)";

    internal const string CountCrawlRowsSql = "select pg_catalog.count(*) from crawl_events where crawl_id = any (@ids)";

    private static readonly PurgeTarget Sessions = new(
        "audit_sessions",
        ListOldSessionsSql,
        LockSessionsSql,
        ListDeletableSessionsSql,
        [DeleteLogsSql, DeleteArtifactsSql, DeletePagesSql],
        DeleteSessionsSql,
        CountSessionRowsSql);

    private static readonly PurgeTarget Crawls = new(
        "crawl_runs", ListOldCrawlsSql, LockCrawlsSql, ListDeletableCrawlsSql, [DeleteEventsSql], DeleteCrawlsSql, CountCrawlRowsSql);

    private static readonly PurgeTarget DistributedCrawls = Crawls with
    {
        ListOldSql = ListOldByCrawlSql,
        LocksOneByOne = true,
        ListDeletableSql = ListDeletableByCrawlSql,
        DeleteSql = DeleteByCrawlSql,
    };

    private readonly NpgsqlDataSource dataSource = dataSource ?? throw new ArgumentNullException(nameof(dataSource));
    private readonly ILogger log = logger.Guarded();

    /// <summary>Purges the rows of artifacts that were marked as deleted long ago.</summary>
    /// <param name="age">How long ago they were marked, by the database's clock. From 0 to 36,500 days.</param>
    /// <param name="batchSize">The most rows in a transaction, 1 to <see cref="MaxBatchSize"/>.</param>
    /// <param name="dryRun">Whether to count only.</param>
    /// <param name="progress">Gets the totals after each transaction, and at the end of a dry run; may be null. An exception of it ends the purge, and deleted
    /// rows stay deleted.</param>
    /// <param name="cancellationToken">Cancels the purge. Deleted rows stay deleted.</param>
    /// <returns>The totals. <see cref="PurgeTotal.Deleted"/> is the number of rows.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The age or the batch size is out of range.</exception>
    public async Task<PurgeTotal> PurgeArtifactsAsync(
        TimeSpan age, int batchSize = 5_000, bool dryRun = false, IProgress<PurgeTotal>? progress = null, CancellationToken cancellationToken = default)
    {
        RequireRange(age, batchSize);
        var total = new PurgeTotal();
        if (dryRun)
        {
            var count = await dataSource.QuerySingleAsync(CountMarkedSql, Age(age), row => row.GetInt64(0), null, cancellationToken).ConfigureAwait(false);
            total = total with { Deleted = count };
            progress?.Report(total);
            return total;
        }

        var telemetry = new Telemetry(dataSource, "artifacts");
        int deleted;
        do
        {
            var parameters = Age(age);
            parameters.Add("limit", NpgsqlDbType.Integer, batchSize);
            deleted = await telemetry.RunAsync("purge", 0, () => dataSource.InTransactionAsync(
                (connection, transaction) => connection.ExecuteAsync(DeleteMarkedSql, parameters, transaction, cancellationToken),
                cancellationToken)).ConfigureAwait(false);
            telemetry.Purged(deleted);
            total = total with { Deleted = total.Deleted + deleted };
            progress?.Report(total);
        }
        while (deleted == batchSize);

        Log.Purged(log, total.Deleted, "artifacts");
        return total;
    }

    /// <summary>Purges whole sessions that ended, with their pages, artifacts and log lines.</summary>
    /// <remarks>
    /// <para>A session whose artifacts are still in the storage is left, because their URIs would be lost with it: sweep first.</para>
    /// <para>A session that gets an artifact or a log line while the purge runs is left too. It relies on the session's row lock, and on a check of its rows
    /// after the lock.</para>
    /// <para>A purge that ends early may leave a session with some of its rows. The next purge finishes it.</para>
    /// </remarks>
    /// <param name="age">How long ago they were created and wrote the last line of their log, by the database's clock. From 0 to 36,500 days.</param>
    /// <param name="batchSize">The most rows below sessions in a transaction, 1 to <see cref="MaxBatchSize"/>.</param>
    /// <param name="dryRun">Whether to count only.</param>
    /// <param name="abandonArtifacts">Whether to purge also sessions whose artifacts are still in the storage. Nothing will point to those artifacts any
    /// more.</param>
    /// <param name="progress">Gets the totals after each transaction; may be null. An exception of it ends the purge, and deleted rows stay deleted.</param>
    /// <param name="cancellationToken">Cancels the purge. Deleted rows stay deleted.</param>
    /// <returns>The totals.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The age or the batch size is out of range.</exception>
    public Task<PurgeTotal> PurgeSessionsAsync(
        TimeSpan age,
        int batchSize = 5_000,
        bool dryRun = false,
        bool abandonArtifacts = false,
        IProgress<PurgeTotal>? progress = null,
        CancellationToken cancellationToken = default)
    {
        RequireRange(age, batchSize);
        return PurgeAsync(Sessions, age, abandonArtifacts, batchSize, dryRun, progress, cancellationToken);
    }

    /// <summary>Purges whole crawls that ended, with their events.</summary>
    /// <remarks>
    /// <para>A crawl that gets an event while the purge runs is left. It relies on the run's row lock, and on a check of the last event after the lock. A
    /// purge that ends early may leave a crawl with some of its events. The next purge finishes it.</para>
    /// <para>Where <see cref="Schema.EventPartitioner"/> has partitioned the events, whole partitions are dropped, which costs next to nothing however many
    /// events they have. A partition is dropped when every crawl in it is old enough. One that is not keeps the whole partition, with the old crawls in it.
    /// The role must own the tables.</para>
    /// </remarks>
    /// <param name="age">How long ago they ended and got their last event, by the database's clock and that event's
    /// <see cref="Crawls.CrawlEvent.CreatedAt"/>. From 0 to 36,500 days.</param>
    /// <param name="batchSize">The most events in a transaction, 1 to <see cref="MaxBatchSize"/>.</param>
    /// <param name="dryRun">Whether to count only.</param>
    /// <param name="progress">Gets the totals after each transaction; may be null. An exception of it ends the purge, and deleted rows stay deleted.</param>
    /// <param name="cancellationToken">Cancels the purge. Deleted rows stay deleted.</param>
    /// <returns>The totals.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The age or the batch size is out of range.</exception>
    public Task<PurgeTotal> PurgeCrawlsAsync(
        TimeSpan age, int batchSize = 5_000, bool dryRun = false, IProgress<PurgeTotal>? progress = null, CancellationToken cancellationToken = default) =>
        PurgeCrawlsAsync(age, NoArchive, batchSize, dryRun, progress, cancellationToken);

    /// <summary>Purges whole crawls that ended, with their events, after the caller has archived them.</summary>
    /// <inheritdoc cref="PurgeCrawlsAsync(TimeSpan, int, bool, IProgress{PurgeTotal}?, CancellationToken)" path="/remarks"/>
    /// <param name="age">How long ago they ended and got their last event, by the database's clock and that event's
    /// <see cref="Crawls.CrawlEvent.CreatedAt"/>. From 0 to 36,500 days.</param>
    /// <param name="archive">Archives crawls that are about to be purged, some at a time. A crawl may be passed again, also by a later purge: one that gets an
    /// event meanwhile is not purged. An exception of it ends the purge. It is not called in a dry run.</param>
    /// <param name="batchSize">The most events in a transaction, 1 to <see cref="MaxBatchSize"/>. A partition is dropped whole.</param>
    /// <param name="dryRun">Whether to count only.</param>
    /// <param name="progress">Gets the totals after each transaction; may be null. An exception of it ends the purge, and deleted rows stay deleted.</param>
    /// <param name="cancellationToken">Cancels the purge. Deleted rows stay deleted.</param>
    /// <returns>The totals.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The age or the batch size is out of range.</exception>
    public async Task<PurgeTotal> PurgeCrawlsAsync(
        TimeSpan age,
        Func<IReadOnlyList<Guid>, CancellationToken, Task> archive,
        int batchSize = 5_000,
        bool dryRun = false,
        IProgress<PurgeTotal>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(archive);
        RequireRange(age, batchSize);
        if (!dryRun)
        {
            Connections.ThrowIfAmbient(null);
        }

        var distribution = await CrawlDistribution.OfAsync(dataSource, null, cancellationToken).ConfigureAwait(false);
        var target = distribution.IsByCrawl ? DistributedCrawls : Crawls;
        var partitions = await Partitioner.ListAsync(cancellationToken).ConfigureAwait(false);
        return partitions.Count == 0
            ? await PurgeAsync(target, age, false, batchSize, dryRun, progress, cancellationToken, archive).ConfigureAwait(false)
            : await PurgePartitionsAsync(partitions, age, archive, batchSize, dryRun, progress, cancellationToken).ConfigureAwait(false);
    }

    private async Task<PurgeTotal> PurgeAsync(
        PurgeTarget target,
        TimeSpan age,
        bool abandonArtifacts,
        int batchSize,
        bool dryRun,
        IProgress<PurgeTotal>? progress,
        CancellationToken cancellationToken,
        Func<IReadOnlyList<Guid>, CancellationToken, Task>? archive = null)
    {
        if (!dryRun)
        {
            Connections.ThrowIfAmbient(null);
        }

        var cutoff = await dataSource.QuerySingleAsync(CutoffSql, Age(age), row => row.GetInstant(0), null, cancellationToken).ConfigureAwait(false);
        var telemetry = new Telemetry(dataSource, target.Table);
        var total = new PurgeTotal();
        (Guid Id, Instant CreatedAt)? last = null;
        List<(Guid Id, Instant CreatedAt)> page;
        do
        {
            page = await ListOldAsync(target, cutoff, last, cancellationToken).ConfigureAwait(false);
            if (page.Count == 0)
            {
                break;
            }

            last = page[^1];
            var before = total.Deleted;
            var conditions = new Conditions(target, cutoff, abandonArtifacts);
            var ids = page.Select(parent => parent.Id).ToArray();
            if (archive is not null && archive != NoArchive && !dryRun)
            {
                ids = await dataSource.UseAsync(
                    null, connection => ListDeletableAsync(connection, null, conditions, ids, cancellationToken), cancellationToken).ConfigureAwait(false);
                await archive(ids, cancellationToken).ConfigureAwait(false);
            }

            for (var complete = false; !complete; progress?.Report(total))
            {
                (complete, var deleted, var rows) = dryRun
                    ? await CountAsync(conditions, ids, cancellationToken).ConfigureAwait(false)
                    : await telemetry.RunAsync("purge", 0, () => DeleteAsync(conditions, ids, batchSize, cancellationToken)).ConfigureAwait(false);
                if (!dryRun)
                {
                    telemetry.Purged(deleted + rows);
                }

                total = total with { Deleted = total.Deleted + deleted, Rows = total.Rows + rows };
            }

            total = total with { Left = total.Left + page.Count - (total.Deleted - before) };
        }
        while (page.Count == ParentsInPage);

        progress?.Report(total);
        if (!dryRun)
        {
            Log.Purged(log, total.Deleted, target.Table);
        }

        return total;
    }

    private Task<List<(Guid Id, Instant CreatedAt)>> ListOldAsync(
        PurgeTarget target, Instant cutoff, (Guid Id, Instant CreatedAt)? last, CancellationToken cancellationToken)
    {
        var parameters = new Parameters
        {
            { "after_time", NpgsqlDbType.TimestampTz, last?.CreatedAt ?? Instant.NegativeInfinity },
            { "after_key", NpgsqlDbType.Uuid, last?.Id ?? Guid.Empty },
            { "limit", NpgsqlDbType.Integer, ParentsInPage },
            { "cutoff", NpgsqlDbType.TimestampTz, cutoff },
        };
        return dataSource.QueryAsync(target.ListOldSql, parameters, row => (row.GetGuid(0), row.GetInstant(1)), null, cancellationToken);
    }

    private Task<(bool Complete, long Deleted, long Rows)> DeleteAsync(Conditions conditions, Guid[] ids, int batchSize, CancellationToken cancellationToken) =>
        dataSource.InTransactionAsync(async (connection, transaction) =>
        {
            // FOR UPDATE: no row can be added below the parents until they are deleted. The transaction is READ COMMITTED, so the second statement sees the
            // rows that were added before.
            var target = conditions.Target;
            var locked = target.LocksOneByOne
                ? await connection.LockEachAsync(target.LockSql, ids, transaction, cancellationToken).ConfigureAwait(false)
                : await connection.QueryAsync(target.LockSql, Ids(ids), row => row.GetGuid(0), transaction, cancellationToken).ConfigureAwait(false);
            var deletable = await ListDeletableAsync(connection, transaction, conditions, [.. locked], cancellationToken).ConfigureAwait(false);
            if (deletable.Length == 0)
            {
                return (true, 0L, 0L);
            }

            var rows = 0;
            foreach (var sql in target.DeleteRowsSql)
            {
                var parameters = Ids(deletable);
                parameters.Add("limit", NpgsqlDbType.Integer, batchSize - rows);
                rows += await connection.ExecuteAsync(sql, parameters, transaction, cancellationToken).ConfigureAwait(false);
                if (rows == batchSize)
                {
                    return (false, 0L, (long)rows);
                }
            }

            var deleted = await connection.ExecuteAsync(target.DeleteSql, Ids(deletable), transaction, cancellationToken).ConfigureAwait(false);
            return (true, (long)deleted, (long)rows);
        }, cancellationToken);

    private Task<(bool Complete, long Deleted, long Rows)> CountAsync(Conditions conditions, Guid[] ids, CancellationToken cancellationToken) =>
        dataSource.UseAsync(null, async connection =>
        {
            var deletable = await ListDeletableAsync(connection, null, conditions, ids, cancellationToken).ConfigureAwait(false);
            var rows = await connection.QuerySingleAsync(
                conditions.Target.CountRowsSql, Ids(deletable), row => row.GetInt64(0), null, cancellationToken).ConfigureAwait(false);
            return (true, (long)deletable.Length, rows);
        }, cancellationToken);

    private static async Task<Guid[]> ListDeletableAsync(
        NpgsqlConnection connection, NpgsqlTransaction? transaction, Conditions conditions, Guid[] ids, CancellationToken cancellationToken)
    {
        var parameters = Ids(ids);
        parameters.Add("cutoff", NpgsqlDbType.TimestampTz, conditions.Cutoff);
        parameters.Add("abandon_artifacts", NpgsqlDbType.Boolean, conditions.AbandonArtifacts);
        var deletable = await connection.QueryAsync(
            conditions.Target.ListDeletableSql, parameters, row => row.GetGuid(0), transaction, cancellationToken).ConfigureAwait(false);
        return [.. deletable];
    }

    private static void RequireRange(TimeSpan age, int batchSize)
    {
        ArgumentRange.Require(age, TimeSpan.Zero, ArgumentRange.LongestDuration);
        ArgumentRange.Require(batchSize, 1, MaxBatchSize);
    }

    private static Parameters Age(TimeSpan age) => new() { { "age", NpgsqlDbType.Interval, age } };

    private static Parameters Ids(Guid[] ids) => new() { { "ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, ids } };

    /// <summary>What a purge deletes: old enough parents and, of sessions, those without artifacts in the storage.</summary>
    private sealed record Conditions(PurgeTarget Target, Instant Cutoff, bool AbandonArtifacts);
}
