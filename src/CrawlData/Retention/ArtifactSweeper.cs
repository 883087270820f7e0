using System.Data.Common;
using System.Runtime.CompilerServices;
using CrawlData.Instrumentation;
using CrawlData.Storage;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Retention;

/// <summary>Sweeps the storage: deletes the artifacts whose retention time has passed, through an <see cref="IArtifactStore"/>, and marks their rows as
/// deleted. <see cref="RetentionPurger"/> deletes the rows later.</summary>
/// <remarks>
/// <para>It works in one small transaction a batch. A sweep that is cancelled, killed, or failed keeps what it has committed, and the next sweep resumes there.
/// Sweeps may run concurrently, in any number of processes. Each locks its rows and skips those that another has locked (<c>skip locked</c>).</para>
/// <para>Errors of the server and of the connection are thrown as <see cref="NpgsqlException"/>.</para>
/// </remarks>
/// <param name="dataSource">The application's data source. The application disposes it.</param>
/// <param name="logger">Logs each sweep's totals; may be null.</param>
public sealed class ArtifactSweeper(NpgsqlDataSource dataSource, ILogger<ArtifactSweeper>? logger = null)
{
    /// <summary>The largest batch: 100,000 artifacts.</summary>
    public const int MaxBatchSize = 100_000;

    private const int StreamPageSize = 1_000;

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

    private readonly NpgsqlDataSource dataSource = dataSource ?? throw new ArgumentNullException(nameof(dataSource));
    private readonly Telemetry telemetry = new(dataSource, "artifacts");
    private readonly ILogger log = logger.Guarded();

    /// <summary>Streams the expired artifacts that are not marked as deleted, the longest expired first: those that a sweep would pass to the store.</summary>
    /// <remarks>It reads pages of 1,000, and holds no connection between two pages.</remarks>
    /// <param name="cancellationToken">Ends the enumeration with <see cref="OperationCanceledException"/>.</param>
    /// <returns>The artifacts, by <see cref="ExpiredArtifact.RetentionUntil"/> and id.</returns>
    public async IAsyncEnumerable<ExpiredArtifact> StreamExpiredAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ExpiredArtifact? last = null;
        List<ExpiredArtifact> page;
        do
        {
            page = await dataSource.QueryAsync(ListExpiredSql, After(last, StreamPageSize), Map, null, cancellationToken).ConfigureAwait(false);
            foreach (var artifact in page)
            {
                yield return last = artifact;
            }
        }
        while (page.Count == StreamPageSize);
    }

    /// <summary>Passes expired artifacts to a store, a batch at a time, and marks as deleted those that the store returns.</summary>
    /// <remarks>
    /// <para>While the store works on a batch, its rows are locked, and a transaction is open. Choose a batch size that takes seconds. The
    /// role's <c>idle_in_transaction_session_timeout</c> and <c>transaction_timeout</c> do not end it.</para>
    /// <para>An artifact that was deleted and not yet marked, because the process died in between, is passed again by the next sweep. A marked artifact never
    /// is. An artifact that the store did not return stays expired. The next sweep passes it again, and this one does not.</para>
    /// </remarks>
    /// <param name="store">Deletes the artifacts. When it throws, its batch stays unmarked, and the sweep ends with that exception.</param>
    /// <param name="batchSize">The most artifacts in a batch, 1 to <see cref="MaxBatchSize"/>.</param>
    /// <param name="progress">Gets the totals after each batch; may be null. An exception of it ends the sweep, and marked artifacts stay marked.</param>
    /// <param name="cancellationToken">Cancels the sweep and the store. What a store has returned is marked before the sweep ends.</param>
    /// <returns>The totals.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The batch size is out of range.</exception>
    public async Task<SweepTotal> SweepAsync(
        IArtifactStore store, int batchSize = 100, IProgress<SweepTotal>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(store);
        ArgumentRange.Require(batchSize, 1, MaxBatchSize);
        var total = new SweepTotal();

        // A cursor passes each artifact once, also one that the store does not return.
        ExpiredArtifact? last = null;
        IReadOnlyList<ExpiredArtifact> batch;
        do
        {
            (batch, var deleted) = await telemetry.RunAsync(
                "sweep", 0, () => SweepBatchAsync(store, last, batchSize, cancellationToken)).ConfigureAwait(false);
            telemetry.Swept(deleted.Count, deleted: true);
            telemetry.Swept(batch.Count - deleted.Count, deleted: false);
            last = batch.Count > 0 ? batch[^1] : last;
            total = new SweepTotal
            {
                Expired = total.Expired + batch.Count,
                ExpiredBytes = AddSizes(total.ExpiredBytes, batch),
                Deleted = total.Deleted + deleted.Count,
                DeletedBytes = AddSizes(total.DeletedBytes, deleted),
            };
            progress?.Report(total);
        }
        while (batch.Count == batchSize);

        Log.Swept(log, total.Expired, total.Deleted);
        return total;
    }

    private Task<(IReadOnlyList<ExpiredArtifact> Batch, IReadOnlyList<ExpiredArtifact> Deleted)> SweepBatchAsync(
        IArtifactStore store, ExpiredArtifact? last, int batchSize, CancellationToken cancellationToken) =>
        dataSource.InTransactionAsync<(IReadOnlyList<ExpiredArtifact>, IReadOnlyList<ExpiredArtifact>)>(async (connection, transaction) =>
        {
            var batch = await connection.QueryAsync(LockExpiredSql, After(last, batchSize), Map, transaction, cancellationToken).ConfigureAwait(false);
            if (batch.Count == 0)
            {
                return ([], []);
            }

            // Otherwise a slow store's session would end before the artifacts are marked, and each sweep would pass them again.
            await connection.ExecuteAsync(TransactionTimeouts.DisableSql, null, transaction, cancellationToken).ConfigureAwait(false);
            var gone = (await store.DeleteAsync(batch, cancellationToken).ConfigureAwait(false)).Select(artifact => artifact.Id).ToHashSet();
            var deleted = batch.Where(artifact => gone.Contains(artifact.Id)).ToList();
            var parameters = new Parameters
            {
                { "ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, deleted.Select(artifact => artifact.Id).ToArray() },
                { "session_ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, deleted.Select(artifact => artifact.SessionId).ToArray() },
            };

            // The artifacts are gone, so this is not cancelled any more.
            await connection.ExecuteAsync(MarkDeletedSql, parameters, transaction, CancellationToken.None).ConfigureAwait(false);
            return (batch, deleted);
        }, CancellationToken.None);

    // A sum is capped at the largest long, as in the database's totals. Otherwise two large artifacts would end every sweep.
    private static long AddSizes(long total, IEnumerable<ExpiredArtifact> artifacts) =>
        artifacts.Aggregate(total, (sum, artifact) => (long)Int128.Clamp((Int128)sum + artifact.SizeBytes, long.MinValue, long.MaxValue));

    private static ExpiredArtifact Map(DbDataReader row) => new()
    {
        Id = row.GetGuid(0),
        SessionId = row.GetGuid(1),
        StorageUri = row.GetString(2),
        Checksum = row.GetNullable<string>(3),
        SizeBytes = row.GetInt64(4),
        RetentionUntil = row.GetInstant(5),
    };

    private static Parameters After(ExpiredArtifact? last, int limit) => new()
    {
        { "after_time", NpgsqlDbType.TimestampTz, last?.RetentionUntil ?? DateTimeOffset.MinValue },
        { "after_key", NpgsqlDbType.Uuid, last?.Id ?? Guid.Empty },
        { "limit", NpgsqlDbType.Integer, limit },
    };
}
