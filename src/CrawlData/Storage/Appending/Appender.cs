using System.Collections;
using CrawlData.Diagnostics;
using Npgsql;
using NpgsqlTypes;
using static CrawlData.Database;

namespace CrawlData;

/// <summary>Appends rows to a table with a bigserial key, each row to its parent: all or none, the ids in the order of the rows. Small batches go by one
/// INSERT of one round trip, large ones by COPY with reserved ids, which is faster the more there are.</summary>
internal abstract class Appender<T>(NpgsqlDataSource dataSource, SettledTransaction settled, Telemetry telemetry) where T : class
{
    /// <summary>From here on COPY.</summary>
    public const int CopyFromRows = 1_000;

    // Of PostgreSQL's timestamps.
    private static readonly DateTime Epoch = new(2000, 1, 1);

    /// <summary>The most that one INSERT's parameters may hold, and what is gathered of a stream.</summary>
    public const int ChunkBytes = 4 * 1024 * 1024;

    public Telemetry Telemetry => telemetry;

    /// <summary>Runs what is not in a transaction of the caller's.</summary>
    public SettledTransaction Settled => settled;

    /// <summary>Takes the parents' row locks, and returns ids, and the transaction's id and start, or no row when a parent is unknown.</summary>
    protected abstract string InsertSql { get; }

    /// <summary>Takes the parents' row locks, and returns an array of <c>@rows</c> ids, empty when a parent is unknown, and the transaction's id and start.</summary>
    protected abstract string ReserveSql { get; }

    protected abstract string CopySql { get; }

    /// <summary>Returns those of <c>@parent_ids</c> that are not there.</summary>
    protected abstract string UnknownParentsSql { get; }

    protected abstract string ParentTable { get; }

    /// <summary>What the rows are called, for the error of one that is null.</summary>
    protected abstract string RowsName { get; }

    public async Task<IReadOnlyList<long>> AppendAsync(
        IReadOnlyList<(Guid ParentId, T Row)> rows, NpgsqlTransaction? transaction, CancellationToken cancellationToken)
    {
        if (rows.Count == 0)
        {
            return [];
        }

        for (var index = 0; index < rows.Count; index++)
        {
            RequireNotNull(rows[index].Row, index);
        }

        var copy = rows.Count >= CopyFromRows || rows.Sum(item => (long)BytesOf(item.Row)) > ChunkBytes;
        return await RunAsync(rows.Count, AppendAsync, transaction, cancellationToken).ConfigureAwait(false);

        Task<Appended> AppendAsync(NpgsqlConnection connection, NpgsqlTransaction inTransaction) => copy
            ? CopyAsync(connection, inTransaction, rows, cancellationToken)
            : InsertAsync(connection, inTransaction, rows, cancellationToken);
    }

    /// <summary>Appends in the caller's transaction, or in one of its own.</summary>
    /// <param name="rows">How many rows.</param>
    /// <param name="append">Appends them.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels up to the COMMIT.</param>
    /// <returns>Their ids.</returns>
    public async Task<IReadOnlyList<long>> RunAsync(
        int rows, Func<NpgsqlConnection, NpgsqlTransaction, Task<Appended>> append, NpgsqlTransaction? transaction, CancellationToken cancellationToken)
    {
        var ids = await telemetry.RunAsync("append", rows, async () => transaction is null
            ? await Settled.RunAsync(append, cancellationToken).ConfigureAwait(false)
            : (await dataSource.UseAsync(transaction, connection => append(connection, transaction), cancellationToken).ConfigureAwait(false)).Ids).ConfigureAwait(false);
        telemetry.Appended(rows);
        return ids;
    }

    public async Task<Appended> CopyAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyList<(Guid ParentId, T Row)> rows, CancellationToken cancellationToken)
    {
        var parentIds = DistinctParentIds(rows);
        var parameters = new Parameters
        {
            { "parent_ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, parentIds },
            { "rows", NpgsqlDbType.Integer, rows.Count },
        };
        var reserve = Command(ReserveSql, parameters, transaction, cancellationToken);
        var (ids, identity) = (await connection.ReadListAsync(
            reserve, row => (row.GetFieldValue<long[]>(0), TransactionIdentity.Read(row, 1))).ConfigureAwait(false))[0];
        if (ids.Length == 0)
        {
            throw await UnknownParentsAsync(connection, transaction, parentIds, cancellationToken).ConfigureAwait(false);
        }

        // Cancelled between rows and not inside a write, which would break the connection, and with it a transaction of the caller's.
        var importer = await connection.BeginBinaryImportAsync(CopySql, CancellationToken.None).ConfigureAwait(false);
        await using (importer.ConfigureAwait(false))
        {
            for (var index = 0; index < ids.Length; index++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                await importer.StartRowAsync(CancellationToken.None).ConfigureAwait(false);
                await importer.WriteAsync(ids[index], NpgsqlDbType.Bigint, CancellationToken.None).ConfigureAwait(false);
                await importer.WriteAsync(rows[index].ParentId, NpgsqlDbType.Uuid, CancellationToken.None).ConfigureAwait(false);
                await WriteAsync(importer, rows[index].Row).ConfigureAwait(false);

                // As COPY has a time: as microseconds. A DateTime is 72 bytes on the heap.
                await importer.WriteAsync(((TimeOf(rows[index].Row) ?? identity.Start) - Epoch).Ticks / TimeSpan.TicksPerMicrosecond, NpgsqlDbType.Bigint, CancellationToken.None)
                    .ConfigureAwait(false);
            }

            await importer.CompleteAsync(CancellationToken.None).ConfigureAwait(false);
        }

        return Appended(ids, identity, rows[0]);
    }

    /// <exception cref="InvalidValueException">The row is null.</exception>
    public void RequireNotNull(T? row, long index)
    {
        if (row is null)
        {
            throw new InvalidValueException(RowsName, $"has null at index {index}");
        }
    }

    /// <summary>About how many bytes a row is sent with.</summary>
    public abstract int BytesOf(T row);

    /// <summary>The time that a row brings; null when it is the transaction's.</summary>
    protected abstract DateTime? TimeOf(T row);

    /// <summary>Adds what <see cref="InsertSql"/> takes beside <c>@parent_ids</c> and <c>@row_parent_ids</c>.</summary>
    protected abstract void AddColumns(Parameters parameters, IReadOnlyList<(Guid ParentId, T Row)> rows);

    /// <summary>Writes what <see cref="CopySql"/> takes between the parent's id and the time. Without a token: see <see cref="CopyAsync"/>.</summary>
    protected abstract Task WriteAsync(NpgsqlBinaryImporter importer, T row);

    private async Task<Appended> InsertAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyList<(Guid ParentId, T Row)> rows, CancellationToken cancellationToken)
    {
        var parentIds = DistinctParentIds(rows);
        var parameters = new Parameters
        {
            { "parent_ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, parentIds },
            { "row_parent_ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, rows.Select(item => item.ParentId).ToArray() },
        };
        AddColumns(parameters, rows);
        var inserted = await connection.ReadListAsync(
            Command(InsertSql, parameters, transaction, cancellationToken),
            row => (Id: row.GetInt64(0), Transaction: TransactionIdentity.Read(row, 1))).ConfigureAwait(false);
        if (inserted.Count == 0)
        {
            throw await UnknownParentsAsync(connection, transaction, parentIds, cancellationToken).ConfigureAwait(false);
        }

        // The order of RETURNING is not promised; that ids are drawn in the order of the rows is.
        inserted.Sort(static (one, other) => one.Id.CompareTo(other.Id));
        return Appended([.. inserted.Select(row => row.Id)], inserted[0].Transaction, rows[0]);
    }

    private Appended Appended(IReadOnlyList<long> ids, TransactionIdentity identity, (Guid ParentId, T Row) first) =>
        new(ids, identity, first.ParentId, TimeOf(first.Row) ?? identity.Start);

    private async Task<RowNotFoundException> UnknownParentsAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, Guid[] parentIds, CancellationToken cancellationToken)
    {
        var parameters = new Parameters { { "parent_ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, parentIds } };
        var command = Command(UnknownParentsSql, parameters, transaction, cancellationToken);
        var unknown = await connection.ReadListAsync(command, row => row.GetGuid(0)).ConfigureAwait(false);

        // None, when they have been created since.
        return new RowNotFoundException(ParentTable, unknown.Count > 0 ? unknown : parentIds);
    }

    /// <summary>Rows of one parent.</summary>
    public sealed class OfOneParent(Guid parentId, T[] rows) : IReadOnlyList<(Guid ParentId, T Row)>
    {
        public int Count => rows.Length;

        public (Guid ParentId, T Row) this[int index] => (parentId, rows[index]);

        public IEnumerator<(Guid ParentId, T Row)> GetEnumerator()
        {
            foreach (var row in rows)
            {
                yield return (parentId, row);
            }
        }

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }

    private static Guid[] DistinctParentIds(IReadOnlyList<(Guid ParentId, T Row)> rows) => rows.Select(item => item.ParentId).Distinct().ToArray();
}
