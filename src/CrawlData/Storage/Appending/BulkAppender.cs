using System.Data;
using System.Data.Common;
using System.Runtime.CompilerServices;
using CrawlData.Instrumentation;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;
using Append = System.Func<
    Npgsql.NpgsqlConnection, Npgsql.NpgsqlTransaction, System.Threading.Tasks.ValueTask<CrawlData.Storage.AppendedRows>>;
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

    private readonly CommitVerifier verifier = new(dataSource, retry, statements.LockParent, statements.RowIsOfTransaction);

    private readonly StatementPreparation preparation = new(dataSource);

    /// <summary>Verifies an append of an earlier process.</summary>
    /// <param name="appended">The append.</param>
    /// <param name="cluster">The cluster that it was made in.</param>
    public Task<CommitOutcome> VerifyAsync(AppendedRows appended, long cluster) => verifier.VerifyAsync(appended, cluster);

    private AppendTransaction Transactions => field ??= new(dataSource, retry, verifier, preparation, telemetry, logger);

    /// <summary>Appends one row, to a table that has a statement for it.</summary>
    /// <returns>The id.</returns>
    public async Task<long> AppendAsync(Guid parentId, T row, NpgsqlTransaction? transaction, CancellationToken cancellationToken)
    {
        Connections.ThrowIfAmbient(transaction);
        var id = await telemetry.RunAsync(
            "append",
            1,
            (Appender: this, parentId, row, transaction, cancellationToken),
            static one => one.Appender.AppendOneAsync(one.parentId, one.row, one.transaction, one.cancellationToken)).ConfigureAwait(false);
        telemetry.Appended(1);
        if (transaction is null)
        {
            onCommitted?.Invoke([parentId]);
        }

        return id;
    }

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

        return await RunAsync(
            batch.ParentIds,
            batch.Count,
            (connection, inTransaction) =>
                AppendAsync(connection, inTransaction, batch, available: false, prepares: transaction is null, cancellationToken),
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
        var appended = await telemetry.RunAsync(
            "append",
            batch.Count,
            (Appender: this, batch.Count, Append: (Append)AppendAsync, beforeCommit, cancellationToken),
            static one => one.Appender.Transactions.RunAsync(one.Append, one.Count, one.beforeCommit, repeatable: true, one.cancellationToken))
            .ConfigureAwait(false);
        if (appended.Ids.Count > 0)
        {
            telemetry.Appended(appended.Ids.Count);
            onCommitted?.Invoke([.. appended.ParentIds]);
        }

        return new PartialAppend(appended.Ids, appended.ParentIds, unknown);

        [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
        async ValueTask<AppendedRows> AppendAsync(NpgsqlConnection connection, NpgsqlTransaction transaction)
        {
            var rows = await this.AppendAsync(connection, transaction, batch, available: true, prepares: true, cancellationToken).ConfigureAwait(false);
            unknown = rows.ParentIds.Count == batch.ParentIds.Length
                ? []
                : await UnknownAsync(connection, transaction, [.. batch.ParentIds.Except(rows.ParentIds)], cancellationToken).ConfigureAwait(false);
            return rows;
        }
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

        async ValueTask<AppendedRows> CopyStreamAsync(NpgsqlConnection connection, NpgsqlTransaction inTransaction)
        {
            AppendedRows last = default;
            await foreach (var chunk in ChunkAsync(rows, cancellationToken).ConfigureAwait(false))
            {
                var batch = new RowBatch<T>(parentId, chunk, claim);
                last = await CopyAsync(connection, inTransaction, batch, available: false, prepares: false, cancellationToken).ConfigureAwait(false);
                appended += chunk.Count;
            }

            return last;
        }
    }

    /// <summary>Runs an append in the caller's transaction, or in one of its own.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<IReadOnlyList<long>> RunAsync(
        Guid[] parentIds,
        int? rows,
        Append append,
        BeforeCommit? beforeCommit,
        bool repeatable,
        NpgsqlTransaction? transaction,
        CancellationToken cancellationToken)
    {
        Connections.ThrowIfAmbient(transaction);
        var appended = await telemetry.RunAsync(
            "append",
            rows ?? 0,
            (Appender: this, rows, append, beforeCommit, repeatable, transaction, cancellationToken),
            static one => one.transaction is null
                ? one.Appender.Transactions.RunAsync(one.append, one.rows ?? 1, one.beforeCommit, one.repeatable, one.cancellationToken)
                : one.append(one.transaction.Connection!, one.transaction)).ConfigureAwait(false);
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

    /// <summary>Appends a batch on a connection.</summary>
    /// <param name="connection">The connection.</param>
    /// <param name="transaction">Its transaction.</param>
    /// <param name="batch">The batch.</param>
    /// <param name="available">Whether only the rows of available parents are appended.</param>
    /// <param name="prepares">Whether the statement may be prepared. An error may show that it is lost, and such an error must not end a transaction of the
    /// caller's.</param>
    /// <param name="cancellationToken">Cancels the statements.</param>
    private ValueTask<AppendedRows> AppendAsync(
        NpgsqlConnection connection,
        NpgsqlTransaction transaction,
        RowBatch<T> batch,
        bool available,
        bool prepares,
        CancellationToken cancellationToken) =>
        CrawlDistribution.Find(dataSource) is { } known
            ? AppendAsync(connection, transaction, known, batch, available, prepares, cancellationToken)
            : AskAndAppendAsync(connection, transaction, batch, available, prepares, cancellationToken);

    private async ValueTask<AppendedRows> AskAndAppendAsync(
        NpgsqlConnection connection,
        NpgsqlTransaction transaction,
        RowBatch<T> batch,
        bool available,
        bool prepares,
        CancellationToken cancellationToken)
    {
        var distribution = await CrawlDistribution.OfAsync(dataSource, connection, transaction, cancellationToken).ConfigureAwait(false);
        return await AppendAsync(connection, transaction, distribution, batch, available, prepares, cancellationToken).ConfigureAwait(false);
    }

    private ValueTask<AppendedRows> AppendAsync(
        NpgsqlConnection connection,
        NpgsqlTransaction transaction,
        CrawlDistribution distribution,
        RowBatch<T> batch,
        bool available,
        bool prepares,
        CancellationToken cancellationToken)
    {
        // An INSERT of several rows that takes their locks is the slowest statement of Citus. So a batch is copied there, however small it is.
        var isInSteps = statements.ReserveInSteps is not null && distribution.IsOnCitus;
        if (batch.Count == 1 && statements.InsertOne is not null && batch.Claims is [] && !(available && isInSteps))
        {
            return InsertOneAsync(connection, transaction, batch.ParentId(0), batch.Row(0), available, prepares, cancellationToken);
        }

        return isInSteps || batch.Count >= CopyFromRows || HasBytesToCopy(batch)
            ? CopyAsync(connection, transaction, batch, available, prepares, cancellationToken)
            : InsertAsync(connection, transaction, batch, available, prepares, cancellationToken);
    }

    private bool HasBytesToCopy(RowBatch<T> batch)
    {
        long bytes = 0;
        for (var index = 0; index < batch.Count; index++)
        {
            bytes += statements.BytesOf(batch.Row(index));
        }

        return bytes > ChunkBytes;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<long> AppendOneAsync(Guid parentId, T row, NpgsqlTransaction? transaction, CancellationToken cancellationToken)
    {
        var append = transaction is not null
            ? InsertOneAsync(transaction.Connection!, transaction, parentId, row, available: false, prepares: false, cancellationToken)
            : Transactions.RunAsync(
                (connection, own) => InsertOneAsync(connection, own, parentId, row, available: false, prepares: true, cancellationToken),
                rows: 1,
                beforeCommit: null,
                repeatable: true,
                cancellationToken);
        return (await append.ConfigureAwait(false)).Ids[0];
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<AppendedRows> InsertOneAsync(
        NpgsqlConnection connection,
        NpgsqlTransaction transaction,
        Guid parentId,
        T row,
        bool available,
        bool prepares,
        CancellationToken cancellationToken)
    {
        if (prepares && !available && statements.InsertOneInSteps is var (lockParent, insert)
            && (await CrawlDistribution.OfAsync(dataSource, connection, transaction, cancellationToken).ConfigureAwait(false)).IsOnCitus)
        {
            return await InsertInStepsAsync(connection, transaction, lockParent, insert, parentId, row, cancellationToken).ConfigureAwait(false);
        }

        var batch = new NpgsqlBatch(connection, transaction);
        await using (batch.ConfigureAwait(false))
        {
            statements.AddParameters(Add(batch, available ? statements.InsertOneAvailable : statements.InsertOne!), parentId, row);
            var (id, identity) = await RunAsync(batch, static row => row.GetInt64(0), prepares, cancellationToken).ConfigureAwait(false);
            return id is { } inserted
                ? AppendedOne(inserted, identity, parentId, row)
                : available ? AppendedRows.None : throw new RowNotFoundException(statements.ParentTable, [parentId]);
        }
    }

    /// <summary>Inserts one row as <see cref="AppendStatements{T}.InsertOneInSteps"/> does, in a transaction of its own.</summary>
    private async ValueTask<AppendedRows> InsertInStepsAsync(
        NpgsqlConnection connection,
        NpgsqlTransaction transaction,
        string lockParent,
        string insert,
        Guid parentId,
        T row,
        CancellationToken cancellationToken)
    {
        var isLocked = false;
        var batch = new NpgsqlBatch(connection, transaction);
        await using (batch.ConfigureAwait(false))
        {
            Add(batch, lockParent).AddValue(NpgsqlDbType.Uuid, parentId);
            statements.AddParameters(Add(batch, insert), parentId, row);
            var flushes = AddIdentity(batch, connection, commits: true);
            await preparation.PrepareAsync(batch, cancellationToken).ConfigureAwait(false);
            try
            {
                var reader = await batch.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
                await using (reader.ConfigureAwait(false))
                {
                    isLocked = await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
                    var id = await reader.ReadNextRowAsync(static row => row.GetInt64(0), cancellationToken).ConfigureAwait(false);
                    var identity = await ReadIdentityAsync(reader, flushes, cancellationToken).ConfigureAwait(false);
                    if (isLocked)
                    {
                        return AppendedOne(id!.Value, identity, parentId, row);
                    }
                }
            }
            catch (PostgresException exception) when (!isLocked && ServerErrors.IsRefusal(exception))
            {
                // The row has no parent, whatever else it lacks.
            }

            // Without its lock, the row must not be committed, even if the parent has come to exist.
            throw new RowNotFoundException(statements.ParentTable, [parentId]);
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<AppendedRows> InsertAsync(
        NpgsqlConnection connection,
        NpgsqlTransaction transaction,
        RowBatch<T> batch,
        bool available,
        bool prepares,
        CancellationToken cancellationToken)
    {
        var sql = (available, batch.Claims) switch
        {
            (false, []) => statements.Insert,
            (true, []) => statements.InsertAvailable,
            (false, _) => statements.InsertClaimed,
            (true, _) => statements.InsertAvailableClaimed,
        };
        var command = new NpgsqlBatch(connection, transaction);
        await using (command.ConfigureAwait(false))
        {
            var parameters = Add(command, sql);
            parameters.AddArray("uuid[]", batch.ParentIds);
            parameters.AddArray("uuid[]", batch.ParentIds.Length == 1 ? null : batch.RowParentIds.ToArray());
            statements.AddColumns(parameters, batch.Rows);
            AddClaims(parameters, batch);
            var (inserted, identity) = await RunAsync(
                command,
                row => (RequireClaims(row, batch).GetNullable<long[]>(0), available ? ReadParents(row) : batch.ParentIds),
                prepares,
                cancellationToken).ConfigureAwait(false);
            var (ids, parentIds) = inserted!.Value;
            return ids switch
            {
                not null => Appended(ids, identity, batch.Of(parentIds)),
                null when available => AppendedRows.None,
                null => throw await UnknownParentsAsync(connection, transaction, batch.ParentIds, cancellationToken).ConfigureAwait(false),
            };
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<AppendedRows> CopyAsync(
        NpgsqlConnection connection,
        NpgsqlTransaction transaction,
        RowBatch<T> batch,
        bool available,
        bool prepares,
        CancellationToken cancellationToken)
    {
        var distribution = await CrawlDistribution.OfAsync(dataSource, connection, transaction, cancellationToken).ConfigureAwait(false);
        var (ids, forbidsCopy, identity, parentIds) = distribution.IsOnCitus && statements.ReserveInSteps is { } steps
            ? await ReserveInStepsAsync(connection, transaction, steps, distribution, batch, available, prepares, cancellationToken).ConfigureAwait(false)
            : await ReserveAsync(connection, transaction, batch, available, prepares, cancellationToken).ConfigureAwait(false);
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

        var copy = await BinaryCopy.BeginAsync(connection, statements.Copy).ConfigureAwait(false);
        await using (copy.ConfigureAwait(false))
        {
            for (var index = 0; index < ids.Length; index++)
            {
                // Cancelled between rows only. A cancel inside a write breaks the connection, and with it the caller's transaction.
                cancellationToken.ThrowIfCancellationRequested();
                var row = batch.Row(index);
                copy.StartRow(statements.CopyColumns);
                copy.Write(ids[index]);
                copy.Write(batch.ParentId(index));
                await statements.WriteAsync(copy, row).ConfigureAwait(false);
                copy.Write((statements.TimeOf(row) ?? identity.Start).Microseconds);
            }

            await copy.CompleteAsync().ConfigureAwait(false);
        }

        return Appended(ids, identity, batch);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<(long[] Ids, bool ForbidsCopy, TransactionIdentity Identity, Guid[] ParentIds)> ReserveAsync(
        NpgsqlConnection connection,
        NpgsqlTransaction transaction,
        RowBatch<T> batch,
        bool available,
        bool prepares,
        CancellationToken cancellationToken)
    {
        var sql = (available, batch.Claims) switch
        {
            (false, []) => statements.Reserve,
            (true, []) => statements.ReserveAvailable,
            (false, _) => statements.ReserveClaimed,
            (true, _) => statements.ReserveAvailableClaimed,
        };
        var command = new NpgsqlBatch(connection, transaction);
        await using (command.ConfigureAwait(false))
        {
            var parameters = Add(command, sql);
            parameters.AddArray("uuid[]", batch.ParentIds);
            if (available)
            {
                var rows = batch.RowParentIds.CountBy(parentId => parentId).ToDictionary();
                parameters.AddArray("integer[]", batch.ParentIds.Select(parentId => rows[parentId]).ToArray());
            }
            else
            {
                parameters.AddValue(NpgsqlDbType.Integer, batch.Count);
            }

            AddClaims(parameters, batch);
            var (reserved, identity) = await RunAsync(
                command,
                row => (RequireClaims(row, batch).GetFieldValue<long[]>(0), row.GetBoolean(1), available ? ReadParents(row) : batch.ParentIds),
                prepares,
                cancellationToken).ConfigureAwait(false);
            var (ids, forbidsCopy, parentIds) = reserved!.Value;
            return (ids, forbidsCopy, identity, parentIds);
        }
    }

    /// <summary>Reserves ids as <see cref="ReserveAsync"/> does, on Citus. Without claims it is one round trip, or two for several distributed
    /// crawls.</summary>
    /// <returns>As many ids as there are rows of the locked parents. Those of other rows are left out, and are gaps.</returns>
    private async ValueTask<(long[] Ids, bool ForbidsCopy, TransactionIdentity Identity, Guid[] ParentIds)> ReserveInStepsAsync(
        NpgsqlConnection connection,
        NpgsqlTransaction transaction,
        ReservationSteps steps,
        CrawlDistribution distribution,
        RowBatch<T> batch,
        bool available,
        bool prepares,
        CancellationToken cancellationToken)
    {
        Guid[][] locks = distribution.IsByCrawl && batch.ParentIds.Length > 1
            ? await ReadShardsAsync(connection, transaction, steps.Shards, batch.ParentIds, prepares, cancellationToken).ConfigureAwait(false)
            : [batch.ParentIds];
        var locked = new List<(Guid Id, string Status)>();

        // The claim of a parent that is not available is locked by another transaction, too. So it is not waited for.
        var locksFirst = available && batch.Claims is not [];
        if (locksFirst)
        {
            var first = new NpgsqlBatch(connection, transaction);
            await using (first.ConfigureAwait(false))
            {
                AddLocks(first);
                var reader = await first.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
                await using (reader.ConfigureAwait(false))
                {
                    locked = await ReadAllAsync(reader, locks.Length, MapLocked, cancellationToken).ConfigureAwait(false);
                }
            }
        }

        Guid[] claimed = [.. batch.Claims.Select(claim => claim.ParentId).Where(id => !locksFirst || locked.Exists(one => one.Id == id)).Distinct().Order()];

        // Where a COPY alone loses its COMMIT: the caller commits, and does not look. Or the parts on two nodes end differently. One shard a statement,
        // because Citus lets no two such statements of several shards run at a time.
        var needsShards = !prepares || locks.Length > 1;
        var command = new NpgsqlBatch(connection, transaction);
        await using (command.ConfigureAwait(false))
        {
            if (!locksFirst)
            {
                AddLocks(command);
            }

            foreach (var parentId in claimed)
            {
                Add(command, steps.LockClaim).AddValue(NpgsqlDbType.Uuid, parentId);
            }

            if (needsShards)
            {
                foreach (var parentIds in locks)
                {
                    Add(command, steps.LockShards).AddArray("uuid[]", parentIds);
                }
            }
            else
            {
                Add(command, steps.LockTable);
            }

            Add(command, steps.Draw).AddValue(NpgsqlDbType.Integer, batch.Count);
            var flushes = AddIdentity(command, connection, commits: prepares);
            if (prepares)
            {
                await preparation.PrepareAsync(command, cancellationToken).ConfigureAwait(false);
            }

            var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                if (!locksFirst)
                {
                    locked = await ReadAllAsync(reader, locks.Length, MapLocked, cancellationToken).ConfigureAwait(false);
                }

                var numbers = await ReadAllAsync(
                    reader, claimed.Length, static row => (Id: row.GetGuid(0), Number: row.GetInt32(1)), cancellationToken).ConfigureAwait(false);
                var (ids, forbidsCopy) = (await reader.ReadRowAsync(
                    static row => (row.GetFieldValue<long[]>(0), row.GetBoolean(1)), cancellationToken).ConfigureAwait(false))!.Value;
                var identity = await ReadIdentityAsync(reader, flushes, cancellationToken).ConfigureAwait(false);
                RequireClaims(batch, steps, locked.ToDictionary(), numbers.ToDictionary());
                Guid[] parentIds = locked.Count == batch.ParentIds.Length ? batch.ParentIds : [.. locked.Select(parent => parent.Id)];
                return available || parentIds.Length == batch.ParentIds.Length
                    ? (ids[..batch.Of(parentIds).Count], forbidsCopy, identity, parentIds)
                    : ([], forbidsCopy, identity, []);
            }
        }

        void AddLocks(NpgsqlBatch command)
        {
            foreach (var parentIds in locks)
            {
                Add(command, available ? steps.LockAvailable : steps.Lock).AddArray("uuid[]", parentIds);
            }
        }

        static (Guid Id, string Status) MapLocked(DbDataReader row) => (row.GetGuid(0), row.GetString(1));
    }

    /// <summary>Reads which parents are in one shard.</summary>
    /// <returns>The parents of each shard. All appends take the shards in one order, and so their locks.</returns>
    private async Task<Guid[][]> ReadShardsAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, string sql, Guid[] parentIds, bool prepares, CancellationToken cancellationToken)
    {
        var command = new NpgsqlBatch(connection, transaction);
        await using (command.ConfigureAwait(false))
        {
            Add(command, sql).AddArray("uuid[]", parentIds);
            if (prepares)
            {
                await preparation.PrepareAsync(command, cancellationToken).ConfigureAwait(false);
            }

            var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                var parents = await reader.ReadAllAsync(static row => (Shard: row.GetInt64(0), Id: row.GetGuid(1)), cancellationToken).ConfigureAwait(false);
                return [.. parents.GroupBy(parent => parent.Shard, (_, shard) => shard.Select(parent => parent.Id).ToArray())];
            }
        }
    }

    /// <summary>Maps the rows of several results, and goes on to the result after them.</summary>
    private static async Task<List<TRow>> ReadAllAsync<TRow>(
        NpgsqlDataReader reader, int results, Func<DbDataReader, TRow> map, CancellationToken cancellationToken)
    {
        var rows = new List<TRow>();
        for (var result = 0; result < results; result++)
        {
            rows.AddRange(await reader.ReadAllAsync(map, cancellationToken).ConfigureAwait(false));
            await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
        }

        return rows;
    }

    /// <summary>Adds the query for the transaction's identity, on Citus, after the ids were drawn. Before a commit of the library's own, the WAL is flushed in
    /// the same round trip, where it can be.</summary>
    /// <returns>Whether it is flushed.</returns>
    private bool AddIdentity(NpgsqlBatch batch, NpgsqlConnection connection, bool commits)
    {
        Add(batch, statements.Identity);
        if (!commits || Citus.FlushInSession(connection) is not { } flush)
        {
            return false;
        }

        Add(batch, flush);
        return true;
    }

    private static async ValueTask<TransactionIdentity> ReadIdentityAsync(NpgsqlDataReader reader, bool flushes, CancellationToken cancellationToken)
    {
        var identity = (await reader.ReadNextRowAsync(TransactionIdentity.Read, cancellationToken).ConfigureAwait(false))!.Value;
        if (!flushes)
        {
            return identity;
        }

        await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
        return identity with { IsFlushed = true };
    }

    private static NpgsqlParameterCollection Add(NpgsqlBatch batch, string sql)
    {
        var command = new NpgsqlBatchCommand(sql);
        batch.BatchCommands.Add(command);
        return command.Parameters;
    }

    /// <summary>Runs a statement that appends, and the query for the transaction's identity, in one round trip.</summary>
    /// <returns>The statement's row, or null when it returns none; and the identity.</returns>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<(TRow? Row, TransactionIdentity Identity)> RunAsync<TRow>(
        NpgsqlBatch batch, Func<NpgsqlDataReader, TRow> map, bool prepares, CancellationToken cancellationToken) where TRow : struct
    {
        batch.BatchCommands.Add(new NpgsqlBatchCommand(statements.Identity));
        if (prepares)
        {
            await preparation.PrepareAsync(batch, cancellationToken).ConfigureAwait(false);
        }

        var reader = await batch.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await using (reader.ConfigureAwait(false))
        {
            var row = await reader.ReadRowAsync(map, cancellationToken).ConfigureAwait(false);
            var identity = (await reader.ReadNextRowAsync(TransactionIdentity.Read, cancellationToken).ConfigureAwait(false))!.Value;
            return (row, identity);
        }
    }

    private AppendedRows AppendedOne(long id, TransactionIdentity identity, Guid parentId, T row) =>
        new(new[] { id }, identity, parentId, HasTransactionTime: statements.TimeOf(row) is null, new[] { parentId });

    /// <summary>Inserts a large batch where row security is active, which COPY does not support.</summary>
    private async Task<AppendedRows> InsertChunksAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, RowBatch<T> batch, CancellationToken cancellationToken)
    {
        var ids = new List<long>(batch.Count);
        AppendedRows appended = default;
        foreach (var chunk in Enumerable.Range(0, batch.Count).Select(index => (batch.ParentId(index), batch.Row(index))).Chunk(CopyFromRows))
        {
            var piece = new RowBatch<T>(chunk);
            var inserted = await InsertAsync(connection, transaction, piece, available: false, prepares: false, cancellationToken).ConfigureAwait(false);

            // The last identity tells whether the ids of all chunks are flushed.
            appended = ids.Count == 0 ? inserted : appended with { Transaction = inserted.Transaction };
            ids.AddRange(inserted.Ids);
        }

        return appended with { Ids = ids, ParentIds = batch.ParentIds };
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

    private static async ValueTask<AppendedRows> WithSavepointAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, Append append, CancellationToken cancellationToken)
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

    private static void AddClaims(NpgsqlParameterCollection parameters, RowBatch<T> batch)
    {
        if (batch.Claims is not [])
        {
            parameters.AddArray("uuid[]", batch.Claims.Select(one => one.ParentId).ToArray());
            parameters.AddArray("integer[]", batch.Claims.Select(one => one.Claim.Number).ToArray());
            parameters.AddArray("boolean[]", batch.Claims.Select(one => one.Claim.OutlivesRun).ToArray());
        }
    }

    /// <exception cref="ClaimLostException">A claim of the batch is lost. Nothing is appended.</exception>
    private static void RequireClaims(
        RowBatch<T> batch, ReservationSteps steps, Dictionary<Guid, string> lockedStatuses, Dictionary<Guid, int> numbers)
    {
        foreach (var lost in batch.Claims)
        {
            if (lockedStatuses.TryGetValue(lost.ParentId, out var status)
                && ((status != steps.ClaimedStatus && !lost.Claim.OutlivesRun)
                    || !numbers.TryGetValue(lost.ParentId, out var number) || number != lost.Claim.Number))
            {
                throw new ClaimLostException(lost.ParentId, lost.Claim.Number, batch.IndexOf(lost));
            }
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
