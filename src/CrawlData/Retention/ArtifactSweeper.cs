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
/// <para>An artifact whose time of retention <see cref="DateTimeOffset"/> cannot hold, such as <c>-infinity</c>, is passed over. It is logged and counted, and
/// neither deleted nor marked.</para>
/// <para>Errors of the server and of the connection are thrown as <see cref="NpgsqlException"/>.</para>
/// </remarks>
/// <param name="dataSource">The application's data source. The application disposes it.</param>
/// <param name="logger">Logs each sweep's totals, and artifacts that are passed over; may be null.</param>
public sealed class ArtifactSweeper(NpgsqlDataSource dataSource, ILogger<ArtifactSweeper>? logger = null)
{
    /// <summary>The largest batch: 100,000 artifacts.</summary>
    public const int MaxBatchSize = 100_000;

    private const int StreamPageSize = 1_000;

    private const string Table = "artifacts";

    internal const string ListExpiredSql =
        """
        select id, session_id, storage_uri, checksum, size_bytes, retention_until
        from artifacts
        where deleted_at is null and retention_until <= pg_catalog.now() and (retention_until, id) > (@after_time, @after_key)
        order by retention_until, id
        limit @limit
        """;

    internal const string LockExpiredSql = $"{ListExpiredSql} for no key update skip locked";

    internal const string MarkDeletedSql =
        """
        update artifacts set deleted_at = pg_catalog.statement_timestamp()
        from unnest(@ids, @session_ids) as gone (id, session_id)
        where artifacts.id = gone.id and artifacts.session_id = gone.session_id
        """;

    private readonly NpgsqlDataSource dataSource = dataSource ?? throw new ArgumentNullException(nameof(dataSource));
    private readonly Telemetry telemetry = new(dataSource, Table);
    private readonly ILogger log = logger.Guarded();

    /// <summary>Streams the expired artifacts that are not marked as deleted, the longest expired first: those that a sweep would pass to the store.</summary>
    /// <remarks>It reads pages of 1,000, and holds no connection between two pages.</remarks>
    /// <param name="cancellationToken">Ends the enumeration with <see cref="OperationCanceledException"/>.</param>
    /// <returns>The artifacts, by <see cref="ExpiredArtifact.RetentionUntil"/> and id.</returns>
    public async IAsyncEnumerable<ExpiredArtifact> StreamExpiredAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        Key? last = null;
        Batch page;
        do
        {
            page = await dataSource.UseAsync(
                null, connection => ReadAsync(connection, ListExpiredSql, last, StreamPageSize, null, cancellationToken), cancellationToken)
                .ConfigureAwait(false);
            foreach (var artifact in page.Artifacts)
            {
                yield return artifact;
            }

            last = page.Last;
        }
        while (page.Rows == StreamPageSize);
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
        Key? last = null;
        Batch batch;
        do
        {
            (batch, var deleted) = await telemetry.RunAsync(
                "sweep", 0, () => SweepBatchAsync(store, last, batchSize, cancellationToken)).ConfigureAwait(false);
            telemetry.Swept(deleted.Count, deleted: true);
            telemetry.Swept(batch.Artifacts.Count - deleted.Count, deleted: false);
            last = batch.Last;
            total = new SweepTotal
            {
                Expired = total.Expired + batch.Artifacts.Count,
                ExpiredBytes = AddSizes(total.ExpiredBytes, batch.Artifacts),
                Deleted = total.Deleted + deleted.Count,
                DeletedBytes = AddSizes(total.DeletedBytes, deleted),
            };
            progress?.Report(total);
        }
        while (batch.Rows == batchSize);

        Log.Swept(log, total.Expired, total.Deleted);
        return total;
    }

    private Task<(Batch Batch, IReadOnlyList<ExpiredArtifact> Deleted)> SweepBatchAsync(
        IArtifactStore store, Key? last, int batchSize, CancellationToken cancellationToken) =>
        dataSource.InTransactionAsync<(Batch, IReadOnlyList<ExpiredArtifact>)>(async (connection, transaction) =>
        {
            var batch = await ReadAsync(connection, LockExpiredSql, last, batchSize, transaction, cancellationToken).ConfigureAwait(false);
            if (batch.Artifacts.Count == 0)
            {
                return (batch, []);
            }

            // Otherwise a slow store's session would end before the artifacts are marked, and each sweep would pass them again.
            await connection.ExecuteAsync(TransactionTimeouts.DisableSql, null, transaction, cancellationToken).ConfigureAwait(false);
            var gone = (await store.DeleteAsync(batch.Artifacts, cancellationToken).ConfigureAwait(false)).Select(artifact => artifact.Id).ToHashSet();
            var deleted = batch.Artifacts.Where(artifact => gone.Contains(artifact.Id)).ToList();
            var parameters = new Parameters
            {
                { "ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, deleted.Select(artifact => artifact.Id).ToArray() },
                { "session_ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, deleted.Select(artifact => artifact.SessionId).ToArray() },
            };

            // The artifacts are gone, so this is not cancelled any more.
            await connection.ExecuteAsync(MarkDeletedSql, parameters, transaction, CancellationToken.None).ConfigureAwait(false);
            return (batch, deleted);
        }, CancellationToken.None);

    /// <summary>Reads a batch of expired artifacts after a key.</summary>
    private async Task<Batch> ReadAsync(
        NpgsqlConnection connection, string sql, Key? last, int limit, NpgsqlTransaction? transaction, CancellationToken cancellationToken)
    {
        var passedOver = new PassedOverRows(telemetry, log);
        var artifacts = new List<ExpiredArtifact>();
        var parameters = new Parameters
        {
            { "after_time", NpgsqlDbType.TimestampTz, last?.RetentionUntil ?? Instant.NegativeInfinity },
            { "after_key", NpgsqlDbType.Uuid, last?.Id ?? Guid.Empty },
            { "limit", NpgsqlDbType.Integer, limit },
        };
        var keys = await connection.QueryAsync(sql, parameters, Add, transaction, cancellationToken).ConfigureAwait(false);
        passedOver.Report();
        return new Batch(artifacts, keys.Count, keys.Count > 0 ? keys[^1] : last);

        Key Add(DbDataReader row)
        {
            if (passedOver.TryMap(row, Map, out var artifact))
            {
                artifacts.Add(artifact);
            }

            return new Key(row.GetInstant(5), row.GetGuid(0));
        }
    }

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
        RetentionUntil = row.GetTime(Table, 5),
    };

    /// <summary>What a batch is ordered by, and where the next one begins.</summary>
    private readonly record struct Key(Instant RetentionUntil, Guid Id);

    /// <summary>A batch of expired artifacts.</summary>
    /// <param name="Artifacts">The artifacts that can be read.</param>
    /// <param name="Rows">The number of rows, also of those that were passed over.</param>
    /// <param name="Last">The key of the last row.</param>
    private sealed record Batch(IReadOnlyList<ExpiredArtifact> Artifacts, int Rows, Key? Last);
}
