using System.Data.Common;
using System.Runtime.CompilerServices;
using CrawlData.Diagnostics;
using Dapper;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;
using static CrawlData.Database;

namespace CrawlData.Retention;

/// <summary>Deletes what has been kept long enough, in four steps that each stand alone: artifacts from their storage, the rows of artifacts, whole sessions,
/// and whole crawls.</summary>
/// <remarks>
/// <para>Each works in small transactions of its own, so none grows with what there is to delete. Cancelled, killed or failed, each keeps what it has committed,
/// and the next run goes on from there. Any number may run at once, in any number of processes: each row is one's at a time, and what another holds is passed over
/// (<c>skip locked</c>).</para>
/// <para>Errors of the server and of the connection come as <see cref="NpgsqlException"/>.</para>
/// </remarks>
/// <param name="dataSource">The application's data source; it stays the application's to dispose of.</param>
/// <param name="logger">Told what was deleted; may be null.</param>
public sealed class RetentionCleanup(NpgsqlDataSource dataSource, ILogger<RetentionCleanup>? logger = null)
{
    /// <summary>The largest batch, in rows.</summary>
    public const int MaxBatchSize = 100_000;

    // Sessions or crawls that are looked at, and locked, at a time.
    private const int Parents = 100;

    internal const string ListExpiredSql =
        """
        select id, session_id, storage_uri, checksum, size_bytes, retention_until
        from artifacts
        where deleted_at is null and retention_until <= now() and (retention_until, id) > (@after_time, @after_key)
        order by retention_until, id
        limit @limit
        """;

    internal const string LockExpiredSql = $"{ListExpiredSql} for no key update skip locked";

    internal const string MarkDeletedSql =
        """
        update artifacts set deleted_at = clock_timestamp()
        from unnest(@ids, @session_ids) as gone (id, session_id)
        where artifacts.id = gone.id and artifacts.session_id = gone.session_id
        """;

    internal const string DeleteMarkedSql =
        """
        delete from artifacts
        where id = any (array(select id from artifacts where deleted_at < now() - @age order by deleted_at limit @limit for update skip locked))
        """;

    internal const string CountMarkedSql = "select count(*) from artifacts where deleted_at < now() - @age";

    internal const string CutoffSql = "select now() - @age";

    // A page of each status by the index on (status, created_at). There is no time at which a session ended: the last line of its log is next to it.
    internal const string OldSessionsSql =
        """
        select id, created_at
        from unnest('{completed, partial, failed}'::audit_session_status_enum[]) as ended (ended_status)
        cross join lateral (
            select id, created_at from audit_sessions
            where status = ended_status and created_at < @cutoff and (created_at, id) > (@after_time, @after_key)
              and not exists (select from crawl_logs where crawl_logs.session_id = audit_sessions.id and crawl_logs.timestamp >= @cutoff)
            order by created_at, id
            limit @limit
        ) as sessions
        order by created_at, id
        limit @limit
        """;

    // Once more by the row as it is when it is locked.
    private const string DeletableSessions =
        """
        from audit_sessions
        where id = any (@ids) and status in ('completed', 'partial', 'failed') and created_at < @cutoff
          and (@abandon_artifacts or not exists (select from artifacts where artifacts.session_id = audit_sessions.id and artifacts.deleted_at is null))
        """;

    internal const string LockSessionsSql = $"select id {DeletableSessions} for update skip locked";

    internal const string ListDeletableSessionsSql = $"select id {DeletableSessions}";

    internal const string DeleteLogsSql = "delete from crawl_logs where id = any (array(select id from crawl_logs where session_id = any (@ids) limit @limit))";

    internal const string DeleteArtifactsSql = "delete from artifacts where id = any (array(select id from artifacts where session_id = any (@ids) limit @limit))";

    internal const string DeletePagesSql = "delete from audit_pages where id = any (array(select id from audit_pages where session_id = any (@ids) limit @limit))";

    internal const string DeleteSessionsSql = "delete from audit_sessions where id = any (@ids)";

    internal const string CountSessionRowsSql =
        """
        select (select count(*) from crawl_logs where session_id = any (@ids))
             + (select count(*) from artifacts where session_id = any (@ids))
             + (select count(*) from audit_pages where session_id = any (@ids))
        """;

    internal const string OldCrawlsSql =
        """
        select id, created_at
        from crawl_runs
        where created_at < @cutoff at time zone 'utc' and (created_at, id) > (@after_time at time zone 'utc', @after_key)
          and status in ('COMPLETED', 'FAILED', 'CANCELLED')
          and coalesce(completed_at, cancelled_at, created_at) < @cutoff at time zone 'utc'
        order by created_at, id
        limit @limit
        """;

    private const string DeletableCrawls = "from crawl_runs where id = any (@ids) and status in ('COMPLETED', 'FAILED', 'CANCELLED')";

    internal const string LockCrawlsSql = $"select id {DeletableCrawls} for update skip locked";

    internal const string ListDeletableCrawlsSql = $"select id {DeletableCrawls}";

    internal const string DeleteEventsSql = "delete from crawl_events where id = any (array(select id from crawl_events where crawl_id = any (@ids) limit @limit))";

    internal const string DeleteCrawlsSql = "delete from crawl_runs where id = any (@ids)";

    internal const string CountCrawlRowsSql = "select count(*) from crawl_events where crawl_id = any (@ids)";

    private static readonly Family Sessions = new(
        "audit_sessions", OldSessionsSql, LockSessionsSql, ListDeletableSessionsSql, [DeleteLogsSql, DeleteArtifactsSql, DeletePagesSql], DeleteSessionsSql, CountSessionRowsSql);

    private static readonly Family Crawls = new(
        "crawl_runs", OldCrawlsSql, LockCrawlsSql, ListDeletableCrawlsSql, [DeleteEventsSql], DeleteCrawlsSql, CountCrawlRowsSql);

    private readonly NpgsqlDataSource dataSource = dataSource ?? throw new ArgumentNullException(nameof(dataSource));
    private readonly Telemetry artifacts = new(dataSource, "artifacts");
    private readonly ILogger log = logger.Guarded();

    /// <summary>Streams artifacts whose time of retention has passed and which are not marked as deleted, the longest expired first: what a
    /// sweep would hand over. No connection is held between pages of a thousand.</summary>
    /// <param name="cancellationToken">Ends the enumeration with <see cref="OperationCanceledException"/>.</param>
    /// <returns>The artifacts, by <see cref="ExpiredArtifact.RetentionUntil"/> and id.</returns>
    public async IAsyncEnumerable<ExpiredArtifact> StreamExpiredAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        const int pageSize = 1_000;
        ExpiredArtifact? last = null;
        List<ExpiredArtifact> page;
        do
        {
            var command = Command(ListExpiredSql, After(last?.RetentionUntil, last?.Id, pageSize), null, cancellationToken);
            page = await dataSource.ReadListAsync(command, ReadExpired).ConfigureAwait(false);
            foreach (var artifact in page)
            {
                yield return last = artifact;
            }
        }
        while (page.Count == pageSize);
    }

    /// <summary>Hands artifacts whose time of retention has passed to a deleter, a batch at a time, and marks those as deleted that it acknowledges.</summary>
    /// <remarks>
    /// <para>While the deleter works on a batch its rows are locked, by an open transaction, so that no other sweep takes them. Keep batches so small that one is
    /// done in seconds.</para>
    /// <para>What is deleted and not yet marked, because the process died between, is handed over again by the next sweep: the deleter has to take "it is not
    /// there" for done. What was acknowledged and marked never is. What is not acknowledged stays expired, and comes again with the next sweep, not with this
    /// one.</para>
    /// </remarks>
    /// <param name="deleter">Deletes artifacts from their storage, and returns those of the batch that are gone. When it throws, its batch stays unmarked, and the
    /// sweep ends with that exception.</param>
    /// <param name="batchSize">The most artifacts in a batch, 1 to <see cref="MaxBatchSize"/>.</param>
    /// <param name="progress">Told after each batch; may be null.</param>
    /// <param name="cancellationToken">Cancels, also the deleter. What a deleter that returns has acknowledged is marked before the sweep ends.</param>
    /// <returns>What was handed over, and what of it was deleted.</returns>
    /// <exception cref="InvalidValueException">The batch size is out of range.</exception>
    public async Task<SweepTotal> SweepAsync(
        Func<IReadOnlyList<ExpiredArtifact>, CancellationToken, Task<IReadOnlyList<ExpiredArtifact>>> deleter,
        int batchSize = 100,
        IProgress<SweepTotal>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(deleter);
        RequireBatchSize(batchSize);
        var total = new SweepTotal();
        // By a cursor, so that what is not acknowledged is handed over once.
        ExpiredArtifact? last = null;
        IReadOnlyList<ExpiredArtifact> batch;
        do
        {
            (batch, var deleted) = await artifacts.RunAsync(
                "sweep", 0, () => SweepBatchAsync(deleter, last, batchSize, cancellationToken)).ConfigureAwait(false);
            artifacts.Swept(deleted.Count, deleted: true);
            artifacts.Swept(batch.Count - deleted.Count, deleted: false);
            last = batch.Count > 0 ? batch[^1] : last;
            total = new SweepTotal
            {
                Expired = total.Expired + batch.Count,
                ExpiredBytes = total.ExpiredBytes + batch.Sum(artifact => artifact.SizeBytes),
                Deleted = total.Deleted + deleted.Count,
                DeletedBytes = total.DeletedBytes + deleted.Sum(artifact => artifact.SizeBytes),
            };
            progress?.Report(total);
        }
        while (batch.Count == batchSize);

        Log.Swept(log, total.Expired, total.Deleted);
        return total;
    }

    /// <summary>Deletes the rows of artifacts that were marked as deleted long ago.</summary>
    /// <param name="age">How long ago, by the database's clock; not negative.</param>
    /// <param name="batchSize">The most rows in a transaction, 1 to <see cref="MaxBatchSize"/>.</param>
    /// <param name="dryRun">Only counts.</param>
    /// <param name="progress">Told after each transaction, and by a dry run at its end; may be null.</param>
    /// <param name="cancellationToken">Cancels; what was deleted stays so.</param>
    /// <returns>How many rows were deleted, or would be, as <see cref="DeletionTotal.Deleted"/>.</returns>
    /// <exception cref="InvalidValueException">The age is negative or over 36,500 days, or the batch size is out of range.</exception>
    public async Task<DeletionTotal> DeleteArtifactsAsync(
        TimeSpan age, int batchSize = 5_000, bool dryRun = false, IProgress<DeletionTotal>? progress = null, CancellationToken cancellationToken = default)
    {
        RequireBatchSize(batchSize);
        var total = new DeletionTotal();
        if (dryRun)
        {
            var count = Command(CountMarkedSql, Age(age), null, cancellationToken);
            total = total with { Deleted = (await dataSource.ReadListAsync(count, row => row.GetInt64(0)).ConfigureAwait(false))[0] };
            progress?.Report(total);
            return total;
        }

        int deleted;
        do
        {
            var parameters = Age(age);
            parameters.Add("limit", NpgsqlDbType.Integer, batchSize);
            var delete = Command(DeleteMarkedSql, parameters, null, cancellationToken);
            deleted = await artifacts.RunAsync(
                "delete", 0, () => dataSource.UseAsync(null, connection => connection.ExecuteAsync(delete), cancellationToken)).ConfigureAwait(false);
            artifacts.Deleted(deleted);
            total = total with { Deleted = total.Deleted + deleted };
            progress?.Report(total);
        }
        while (deleted == batchSize);

        Log.Deleted(log, total.Deleted, "artifacts");
        return total;
    }

    /// <summary>Deletes whole sessions that ended, with their pages, artifacts and log lines.</summary>
    /// <remarks>A session of which artifacts still lie in their storage is left, since their URIs would be lost with it: sweep first. A deletion that ends early
    /// may leave a session with some of its rows; the next goes on with it.</remarks>
    /// <param name="age">How long ago they were created and wrote the last line of their log, by the database's clock; not negative.</param>
    /// <param name="batchSize">The most rows below sessions in a transaction, 1 to <see cref="MaxBatchSize"/>.</param>
    /// <param name="dryRun">Only counts.</param>
    /// <param name="abandonArtifacts">Deletes also sessions of which artifacts still lie in their storage, where nothing will point to them any more.</param>
    /// <param name="progress">Told after each transaction; may be null.</param>
    /// <param name="cancellationToken">Cancels; what was deleted stays so.</param>
    /// <returns>Sessions that were deleted and left, or would be, and the rows that went with them.</returns>
    /// <exception cref="InvalidValueException">The age is negative or over 36,500 days, or the batch size is out of range.</exception>
    public Task<DeletionTotal> DeleteSessionsAsync(
        TimeSpan age,
        int batchSize = 5_000,
        bool dryRun = false,
        bool abandonArtifacts = false,
        IProgress<DeletionTotal>? progress = null,
        CancellationToken cancellationToken = default) => DeleteAsync(Sessions, age, abandonArtifacts, batchSize, dryRun, progress, cancellationToken);

    /// <summary>Deletes whole crawls that ended, with their events.</summary>
    /// <remarks>A deletion that ends early may leave a crawl with some of its events; the next goes on with it.</remarks>
    /// <param name="age">How long ago they ended, by the database's clock; not negative.</param>
    /// <param name="batchSize">The most events in a transaction, 1 to <see cref="MaxBatchSize"/>.</param>
    /// <param name="dryRun">Only counts.</param>
    /// <param name="progress">Told after each transaction; may be null.</param>
    /// <param name="cancellationToken">Cancels; what was deleted stays so.</param>
    /// <returns>Crawls that were deleted and left, or would be, and the events that went with them.</returns>
    /// <exception cref="InvalidValueException">The age is negative or over 36,500 days, or the batch size is out of range.</exception>
    public Task<DeletionTotal> DeleteCrawlsAsync(
        TimeSpan age, int batchSize = 5_000, bool dryRun = false, IProgress<DeletionTotal>? progress = null, CancellationToken cancellationToken = default) =>
        DeleteAsync(Crawls, age, false, batchSize, dryRun, progress, cancellationToken);

    private Task<(IReadOnlyList<ExpiredArtifact> Batch, IReadOnlyList<ExpiredArtifact> Deleted)> SweepBatchAsync(
        Func<IReadOnlyList<ExpiredArtifact>, CancellationToken, Task<IReadOnlyList<ExpiredArtifact>>> deleter,
        ExpiredArtifact? last,
        int batchSize,
        CancellationToken cancellationToken) =>
        InTransactionAsync<(IReadOnlyList<ExpiredArtifact>, IReadOnlyList<ExpiredArtifact>)>(async (connection, transaction) =>
        {
            var command = Command(LockExpiredSql, After(last?.RetentionUntil, last?.Id, batchSize), transaction, cancellationToken);
            var batch = await connection.ReadListAsync(command, ReadExpired).ConfigureAwait(false);
            if (batch.Count == 0)
            {
                return ([], []);
            }

            var acknowledged = (await deleter(batch, cancellationToken).ConfigureAwait(false)).Select(artifact => artifact.Id).ToHashSet();
            var deleted = batch.Where(artifact => acknowledged.Contains(artifact.Id)).ToList();
            var parameters = new Parameters
            {
                { "ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, deleted.Select(artifact => artifact.Id).ToArray() },
                { "session_ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, deleted.Select(artifact => artifact.SessionId).ToArray() },
            };

            // No longer to be cancelled: they are gone.
            await connection.ExecuteAsync(Command(MarkDeletedSql, parameters, transaction, CancellationToken.None)).ConfigureAwait(false);
            return (batch, deleted);
        }, CancellationToken.None);

    private async Task<DeletionTotal> DeleteAsync(
        Family family,
        TimeSpan age,
        bool abandonArtifacts,
        int batchSize,
        bool dryRun,
        IProgress<DeletionTotal>? progress,
        CancellationToken cancellationToken)
    {
        RequireBatchSize(batchSize);
        var cutoffCommand = Command(CutoffSql, Age(age), null, cancellationToken);
        var cutoff = (await dataSource.ReadListAsync(cutoffCommand, row => row.GetInstant(0)).ConfigureAwait(false))[0];
        var telemetry = new Telemetry(dataSource, family.Table);
        var total = new DeletionTotal();
        (Guid Id, DateTimeOffset CreatedAt)? last = null;
        List<(Guid Id, DateTimeOffset CreatedAt)> page;
        do
        {
            var parameters = After(last?.CreatedAt, last?.Id, Parents);
            parameters.Add("cutoff", NpgsqlDbType.TimestampTz, cutoff);
            page = await dataSource.ReadListAsync(
                Command(family.OldSql, parameters, null, cancellationToken), row => (row.GetGuid(0), row.GetInstant(1))).ConfigureAwait(false);
            if (page.Count == 0)
            {
                break;
            }

            last = page[^1];
            var before = total.Deleted;
            var deletion = new Deletion(family, [.. page.Select(parent => parent.Id)], cutoff, abandonArtifacts);
            for (var whole = false; !whole; progress?.Report(total))
            {
                (whole, var deleted, var rows) = dryRun
                    ? await CountAsync(deletion, cancellationToken).ConfigureAwait(false)
                    : await telemetry.RunAsync(
                        "delete", 0, () => DeleteBatchAsync(deletion, batchSize, cancellationToken)).ConfigureAwait(false);
                if (!dryRun)
                {
                    telemetry.Deleted(deleted + rows);
                }

                total = total with { Deleted = total.Deleted + deleted, Rows = total.Rows + rows };
            }

            total = total with { Left = total.Left + page.Count - (total.Deleted - before) };
        }
        while (page.Count == Parents);

        progress?.Report(total);
        if (!dryRun)
        {
            Log.Deleted(log, total.Deleted, family.Table);
        }

        return total;
    }

    private Task<(bool Whole, long Deleted, long Rows)> DeleteBatchAsync(Deletion deletion, int batchSize, CancellationToken cancellationToken) =>
        InTransactionAsync(async (connection, transaction) =>
        {
            // Locked for update: nobody can add a row below them before they are gone.
            var locked = await connection.ReadListAsync(
                Command(deletion.Family.LockSql, deletion.Parameters(), transaction, cancellationToken), row => row.GetGuid(0)).ConfigureAwait(false);
            var ids = locked.ToArray();
            var rows = 0;
            foreach (var sql in deletion.Family.DeleteRowsSql)
            {
                var parameters = new Parameters
                {
                    { "ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, ids },
                    { "limit", NpgsqlDbType.Integer, batchSize - rows },
                };
                rows += await connection.ExecuteAsync(Command(sql, parameters, transaction, cancellationToken)).ConfigureAwait(false);
                if (rows == batchSize)
                {
                    return (false, 0L, (long)rows);
                }
            }

            var emptied = new Parameters { { "ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, ids } };
            var deleted = await connection.ExecuteAsync(Command(deletion.Family.DeleteSql, emptied, transaction, cancellationToken)).ConfigureAwait(false);
            return (true, (long)deleted, (long)rows);
        }, cancellationToken);

    private async Task<(bool Whole, long Deleted, long Rows)> CountAsync(Deletion deletion, CancellationToken cancellationToken)
    {
        var list = Command(deletion.Family.ListDeletableSql, deletion.Parameters(), null, cancellationToken);
        var ids = await dataSource.ReadListAsync(list, row => row.GetGuid(0)).ConfigureAwait(false);
        var count = Command(
            deletion.Family.CountRowsSql, new Parameters { { "ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, ids.ToArray() } }, null, cancellationToken);
        return (true, ids.Count, (await dataSource.ReadListAsync(count, row => row.GetInt64(0)).ConfigureAwait(false))[0]);
    }

    private Task<T> InTransactionAsync<T>(Func<NpgsqlConnection, NpgsqlTransaction, Task<T>> work, CancellationToken cancellationToken) =>
        dataSource.UseAsync(
            null, connection => connection.InTransactionAsync(transaction => work(connection, transaction), cancellationToken), cancellationToken);

    private static ExpiredArtifact ReadExpired(DbDataReader row) => new()
    {
        Id = row.GetGuid(0),
        SessionId = row.GetGuid(1),
        StorageUri = row.GetString(2),
        Checksum = row.GetNullable<string>(3),
        SizeBytes = row.GetInt64(4),
        RetentionUntil = row.GetInstant(5),
    };

    private static Parameters After(DateTimeOffset? time, Guid? id, int limit) => new()
    {
        { "after_time", NpgsqlDbType.TimestampTz, time ?? DateTimeOffset.MinValue },
        { "after_key", NpgsqlDbType.Uuid, id ?? Guid.Empty },
        { "limit", NpgsqlDbType.Integer, limit },
    };

    private static Parameters Age(TimeSpan age) => new()
    {
        { "age", NpgsqlDbType.Interval, Durations.Require(age, "age", TimeSpan.Zero, Durations.Most) },
    };

    private static void RequireBatchSize(int batchSize)
    {
        if (batchSize is < 1 or > MaxBatchSize)
        {
            throw new InvalidValueException("batch_size", $"is {batchSize}; it takes 1 to {MaxBatchSize}");
        }
    }

    private sealed record Family(
        string Table, string OldSql, string LockSql, string ListDeletableSql, IReadOnlyList<string> DeleteRowsSql, string DeleteSql, string CountRowsSql);

    private sealed record Deletion(Family Family, Guid[] Ids, DateTimeOffset Cutoff, bool AbandonArtifacts)
    {
        public Parameters Parameters() => new()
        {
            { "ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, Ids },
            { "cutoff", NpgsqlDbType.TimestampTz, Cutoff },
            { "abandon_artifacts", NpgsqlDbType.Boolean, AbandonArtifacts },
        };
    }
}
