using System.Data;
using System.Data.Common;
using System.Runtime.CompilerServices;
using CrawlData.Instrumentation;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;
using BeforeCommit = System.Func<Npgsql.NpgsqlConnection, Npgsql.NpgsqlTransaction, CrawlData.Storage.AppendedRows, System.Threading.Tasks.Task>;

namespace CrawlData.Storage;

/// <summary>Appends rows: all or none, with ids in the order of the rows. A small batch is one INSERT in one round trip. A large batch is a COPY with reserved
/// ids, which costs less the more rows there are.</summary>
/// <param name="dataSource">The application's data source.</param>
/// <param name="statements">The table's statements, parameters and mapping.</param>
/// <param name="retry">Which errors are transient, and for how long an append is retried and verified.</param>
/// <param name="telemetry">Measures appends.</param>
/// <param name="logger">Logs verified and unknown outcomes.</param>
/// <param name="onCommitted">Runs after an append in a transaction of its own was committed, with the parents' ids; may be null.</param>
internal sealed class BulkAppender<T>(
    NpgsqlDataSource dataSource,
    AppendStatements<T> statements,
    RetryPolicy retry,
    Telemetry telemetry,
    ILogger logger,
    Action<IReadOnlyList<Guid>>? onCommitted = null) where T : class
{
    /// <summary>Batches of this many rows and more are copied.</summary>
    private const int CopyFromRows = 1_000;

    /// <summary>Batches of more bytes are copied. A stream is copied in chunks of this size.</summary>
    private const int ChunkBytes = 4 * 1024 * 1024;

    private const string Savepoint = "crawldata_append";

    private readonly CommitVerifier verifier = new(dataSource, retry, statements.RowIsOfTransaction);

    /// <summary>Verifies an append of an earlier process.</summary>
    /// <param name="appended">The append.</param>
    /// <param name="cluster">The cluster that it was made in.</param>
    public Task<CommitOutcome> VerifyAsync(AppendedRows appended, long cluster) => verifier.VerifyAsync(appended, cluster);

    private AppendTransaction Transactions => field ??= new(dataSource, retry, verifier, telemetry, logger);

    /// <summary>Appends a batch.</summary>
    /// <returns>The ids, in the order of the rows.</returns>
    public Task<IReadOnlyList<long>> AppendAsync(RowBatch<T> batch, NpgsqlTransaction? transaction, CancellationToken cancellationToken) =>
        AppendAsync(batch, transaction, beforeCommit: null, cancellationToken);

    /// <summary>Appends a batch. In a transaction of its own, it runs a callback before each COMMIT.</summary>
    /// <returns>The ids, in the order of the rows.</returns>
    public async Task<IReadOnlyList<long>> AppendAsync(
        RowBatch<T> batch, NpgsqlTransaction? transaction, BeforeCommit? beforeCommit, CancellationToken cancellationToken)
    {
        if (batch.Count == 0)
        {
            return [];
        }

        for (var index = 0; index < batch.Count; index++)
        {
            RequireNotNull(batch.Row(index), index);
        }

        var append = ChooseAppend(batch);
        return await RunAsync(
            batch.ParentIds,
            batch.Count,
            (connection, inTransaction) => append(connection, inTransaction, batch, false, cancellationToken),
            beforeCommit,
            repeatable: true,
            transaction,
            cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Appends the rows of the parents that are available: those that exist, and that no other transaction has locked. It never waits for a
    /// lock.</summary>
    public async Task<PartialAppend> AppendAvailableAsync(RowBatch<T> batch, BeforeCommit? beforeCommit, CancellationToken cancellationToken)
    {
        Connections.ThrowIfAmbient(null);
        IReadOnlyCollection<Guid> unknown = [];
        var appended = await telemetry.RunAsync("append", batch.Count, () => Transactions.RunAsync(
            async (connection, transaction) =>
            {
                var rows = await ChooseAppend(batch)(connection, transaction, batch, true, cancellationToken).ConfigureAwait(false);
                unknown = rows.ParentIds.Count == batch.ParentIds.Length
                    ? []
                    : await UnknownAsync(connection, transaction, [.. batch.ParentIds.Except(rows.ParentIds)], cancellationToken).ConfigureAwait(false);
                return rows;
            },
            batch.Count,
            beforeCommit,
            repeatable: true,
            cancellationToken)).ConfigureAwait(false);
        if (appended.Ids.Count > 0)
        {
            telemetry.Appended(appended.Ids.Count);
            onCommitted?.Invoke([.. appended.ParentIds]);
        }

        return new PartialAppend(appended.Ids, appended.ParentIds.ToHashSet(), unknown.ToHashSet());
    }

    /// <summary>Appends a stream of one parent's rows, a chunk at a time. In the caller's transaction, a failed append is rolled back to a savepoint.</summary>
    /// <returns>The number of rows.</returns>
    public async Task<long> AppendStreamAsync(
        Guid parentId, IAsyncEnumerable<T> rows, RowClaim? claim, NpgsqlTransaction? transaction, CancellationToken cancellationToken)
    {
        long appended = 0;
        await RunAsync(
            [parentId],
            rows: null,
            (connection, inTransaction) => transaction is null
                ? CopyStreamAsync(connection, inTransaction)
                : WithSavepointAsync(connection, inTransaction, CopyStreamAsync, cancellationToken),
            beforeCommit: null,
            repeatable: false,
            transaction,
            cancellationToken).ConfigureAwait(false);
        telemetry.Appended(appended);
        return appended;

        async Task<AppendedRows> CopyStreamAsync(NpgsqlConnection connection, NpgsqlTransaction inTransaction)
        {
            AppendedRows last = default;
            await foreach (var chunk in ChunkAsync(rows, cancellationToken).ConfigureAwait(false))
            {
                last = await CopyAsync(connection, inTransaction, new RowBatch<T>(parentId, chunk, claim), false, cancellationToken).ConfigureAwait(false);
                appended += chunk.Count;
            }

            return last;
        }
    }

    /// <summary>Runs an append in the caller's transaction, or in one of its own.</summary>
    private async Task<IReadOnlyList<long>> RunAsync(
        Guid[] parentIds,
        int? rows,
        Func<NpgsqlConnection, NpgsqlTransaction, Task<AppendedRows>> append,
        BeforeCommit? beforeCommit,
        bool repeatable,
        NpgsqlTransaction? transaction,
        CancellationToken cancellationToken)
    {
        Connections.ThrowIfAmbient(transaction);
        var appended = await telemetry.RunAsync("append", rows ?? 0, () => transaction is null
            ? Transactions.RunAsync(append, rows ?? 1, beforeCommit, repeatable, cancellationToken)
            : append(transaction.Connection!, transaction)).ConfigureAwait(false);
        if (rows is { } count)
        {
            telemetry.Appended(count);
        }

        if (transaction is null)
        {
            onCommitted?.Invoke(parentIds);
        }

        return appended.Ids;
    }

    // The flag is whether only the rows of available parents are appended.
    private Func<NpgsqlConnection, NpgsqlTransaction, RowBatch<T>, bool, CancellationToken, Task<AppendedRows>> ChooseAppend(RowBatch<T> batch)
    {
        if (batch.Count == 1 && statements.InsertOne is not null && batch.Claims is [])
        {
            return InsertOneAsync;
        }

        return batch.Count >= CopyFromRows || batch.Rows.Sum(row => (long)statements.BytesOf(row)) > ChunkBytes ? CopyAsync : InsertAsync;
    }

    private async Task<AppendedRows> InsertOneAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, RowBatch<T> batch, bool available, CancellationToken cancellationToken)
    {
        var inserted = await connection.QueryAsync(
            available ? statements.InsertOneAvailable : statements.InsertOne!,
            statements.ToParameters(batch.ParentId(0), batch.Row(0)),
            row => (Id: row.GetInt64(0), Transaction: TransactionIdentity.Read(row, 1)),
            transaction,
            cancellationToken).ConfigureAwait(false);
        return inserted switch
        {
            [var (id, identity)] => Appended([id], identity, batch),
            _ when available => AppendedRows.None,
            _ => throw new RowNotFoundException(statements.ParentTable, batch.ParentIds),
        };
    }

    private async Task<AppendedRows> InsertAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, RowBatch<T> batch, bool available, CancellationToken cancellationToken)
    {
        var parameters = new Parameters
        {
            { "parent_ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, batch.ParentIds },
            { "row_parent_ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, batch.RowParentIds.ToArray() },
        };
        statements.AddColumns(parameters, batch.Rows);
        AddClaims(parameters, batch);
        var (ids, identity, parentIds) = await connection.QuerySingleAsync(
            (available, batch.Claims) switch
            {
                (false, []) => statements.Insert,
                (true, []) => statements.InsertAvailable,
                (false, _) => statements.InsertClaimed,
                (true, _) => statements.InsertAvailableClaimed,
            },
            parameters,
            row => (
                RequireClaims(row, batch).GetNullable<long[]>(0), TransactionIdentity.Read(row, 1), available ? ReadParents(row) : batch.ParentIds),
            transaction,
            cancellationToken).ConfigureAwait(false);
        return ids switch
        {
            not null => Appended(ids, identity, batch.Of(parentIds)),
            null when available => AppendedRows.None,
            null => throw await UnknownParentsAsync(connection, transaction, batch.ParentIds, cancellationToken).ConfigureAwait(false),
        };
    }

    private async Task<AppendedRows> CopyAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, RowBatch<T> batch, bool available, CancellationToken cancellationToken)
    {
        var parameters = new Parameters { { "parent_ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, batch.ParentIds } };
        if (available)
        {
            var rows = batch.RowParentIds.CountBy(parentId => parentId).ToDictionary();
            parameters.Add("parent_rows", NpgsqlDbType.Array | NpgsqlDbType.Integer, batch.ParentIds.Select(parentId => rows[parentId]).ToArray());
        }
        else
        {
            parameters.Add("rows", NpgsqlDbType.Integer, batch.Count);
        }

        AddClaims(parameters, batch);
        var (ids, forbidsCopy, identity, parentIds) = await connection.QuerySingleAsync(
            (available, batch.Claims) switch
            {
                (false, []) => statements.Reserve,
                (true, []) => statements.ReserveAvailable,
                (false, _) => statements.ReserveClaimed,
                (true, _) => statements.ReserveAvailableClaimed,
            },
            parameters,
            row => (
                RequireClaims(row, batch).GetFieldValue<long[]>(0),
                row.GetBoolean(1),
                TransactionIdentity.Read(row, 2),
                available ? ReadParents(row) : batch.ParentIds),
            transaction,
            cancellationToken).ConfigureAwait(false);
        if (ids.Length == 0)
        {
            return available
                ? AppendedRows.None
                : throw await UnknownParentsAsync(connection, transaction, batch.ParentIds, cancellationToken).ConfigureAwait(false);
        }

        batch = batch.Of(parentIds);
        if (forbidsCopy)
        {
            return await InsertChunksAsync(connection, transaction, batch, cancellationToken).ConfigureAwait(false);
        }

        // Cancelled between rows only. A cancel inside a write breaks the connection, and with it the caller's transaction.
        var importer = await connection.BeginBinaryImportAsync(statements.Copy, CancellationToken.None).ConfigureAwait(false);
        await using (importer.ConfigureAwait(false))
        {
            for (var index = 0; index < ids.Length; index++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                var row = batch.Row(index);
                await importer.StartRowAsync(CancellationToken.None).ConfigureAwait(false);
                await importer.WriteAsync(ids[index], NpgsqlDbType.Bigint, CancellationToken.None).ConfigureAwait(false);
                await importer.WriteAsync(batch.ParentId(index), NpgsqlDbType.Uuid, CancellationToken.None).ConfigureAwait(false);
                await statements.WriteAsync(importer, row).ConfigureAwait(false);

                var time = statements.TimeOf(row) ?? identity.Start;
                await importer.WriteAsync(time.Microseconds, NpgsqlDbType.Bigint, CancellationToken.None).ConfigureAwait(false);
            }

            await importer.CompleteAsync(CancellationToken.None).ConfigureAwait(false);
        }

        return Appended(ids, identity, batch);
    }

    /// <summary>Inserts a large batch where row security is active, which COPY does not support.</summary>
    private async Task<AppendedRows> InsertChunksAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, RowBatch<T> batch, CancellationToken cancellationToken)
    {
        var ids = new List<long>(batch.Count);
        AppendedRows first = default;
        foreach (var chunk in Enumerable.Range(0, batch.Count).Select(index => (batch.ParentId(index), batch.Row(index))).Chunk(CopyFromRows))
        {
            var inserted = await InsertAsync(connection, transaction, new RowBatch<T>(chunk), false, cancellationToken).ConfigureAwait(false);
            first = ids.Count == 0 ? inserted : first;
            ids.AddRange(inserted.Ids);
        }

        return first with { Ids = ids, ParentIds = batch.ParentIds };
    }

    /// <summary>Gathers rows into chunks. Each chunk is valid until the next.</summary>
    private async IAsyncEnumerable<List<T>> ChunkAsync(IAsyncEnumerable<T> rows, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        long before = 0;
        long bytes = 0;
        var chunk = new List<T>(CopyFromRows);
        await foreach (var row in rows.WithCancellation(cancellationToken).ConfigureAwait(false))
        {
            RequireNotNull(row, before + chunk.Count);
            chunk.Add(row);
            bytes += statements.BytesOf(row);
            if (chunk.Count == CopyFromRows || bytes >= ChunkBytes)
            {
                yield return chunk;
                before += chunk.Count;
                bytes = 0;
                chunk.Clear();
            }
        }

        if (chunk.Count > 0)
        {
            yield return chunk;
        }
    }

    private static async Task<AppendedRows> WithSavepointAsync(
        NpgsqlConnection connection,
        NpgsqlTransaction transaction,
        Func<NpgsqlConnection, NpgsqlTransaction, Task<AppendedRows>> append,
        CancellationToken cancellationToken)
    {
        await transaction.SaveAsync(Savepoint, cancellationToken).ConfigureAwait(false);
        try
        {
            var appended = await append(connection, transaction).ConfigureAwait(false);
            await transaction.ReleaseAsync(Savepoint, CancellationToken.None).ConfigureAwait(false);
            return appended;
        }
        catch when (connection.State == ConnectionState.Open)
        {
            await transaction.RollbackAsync(Savepoint, CancellationToken.None).ConfigureAwait(false);
            throw;
        }
    }

    private AppendedRows Appended(IReadOnlyList<long> ids, TransactionIdentity identity, RowBatch<T> batch) =>
        new(ids, identity, batch.ParentId(0), HasTransactionTime: statements.TimeOf(batch.Row(0)) is null, batch.ParentIds);

    private static void AddClaims(Parameters parameters, RowBatch<T> batch)
    {
        if (batch.Claims is not [])
        {
            parameters.Add("claimed_ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, batch.Claims.Select(one => one.ParentId).ToArray());
            parameters.Add("claims", NpgsqlDbType.Array | NpgsqlDbType.Integer, batch.Claims.Select(one => one.Claim.Number).ToArray());
            parameters.Add("outlive_runs", NpgsqlDbType.Array | NpgsqlDbType.Boolean, batch.Claims.Select(one => one.Claim.OutlivesRun).ToArray());
        }
    }

    /// <exception cref="ClaimLostException">A claim of the batch is lost. The statement has appended nothing.</exception>
    private static DbDataReader RequireClaims(DbDataReader row, RowBatch<T> batch) =>
        batch.Claims is not [] && row.GetFieldValue<long[]>(row.GetOrdinal("lost")) is [var position, ..] && batch.Claims[position - 1] is var lost
            ? throw new ClaimLostException(lost.ParentId, lost.Claim.Number, batch.IndexOf(lost))
            : row;

    private static Guid[] ReadParents(DbDataReader row) => row.GetFieldValue<Guid[]>(row.FieldCount - 1);

    private void RequireNotNull(T? row, long index)
    {
        if (row is null)
        {
            throw new InvalidValueException(statements.RowsName, $"has null at index {index}");
        }
    }

    private async Task<RowNotFoundException> UnknownParentsAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, Guid[] parentIds, CancellationToken cancellationToken)
    {
        var unknown = await UnknownAsync(connection, transaction, parentIds, cancellationToken).ConfigureAwait(false);

        // Empty when the parents were created in the meantime.
        return new RowNotFoundException(statements.ParentTable, unknown.Count > 0 ? unknown : parentIds);
    }

    private Task<List<Guid>> UnknownAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, Guid[] parentIds, CancellationToken cancellationToken)
    {
        var parameters = new Parameters { { "parent_ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, parentIds } };
        return connection.QueryAsync(statements.UnknownParents, parameters, row => row.GetGuid(0), transaction, cancellationToken);
    }
}
