using System.Data.Common;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Storage;

/// <summary>Marks: which row of a table was the newest at which time of the server's clock. A parent without a row after a mark has been silent since
/// then.</summary>
/// <param name="takeSql">Inserts a mark.</param>
/// <param name="thinSql">Deletes marks that are not needed: see <see cref="IsSuperfluous"/>.</param>
/// <param name="lastIdSql">Returns the last id that was drawn.</param>
/// <param name="readSql">Returns the id of the newest mark that is old enough: see <see cref="IsOldEnough"/>. It has the parameter <c>drawn_id</c>.</param>
internal sealed class NewestRowMarks(string takeSql, string thinSql, string lastIdSql, string readSql)
{
    /// <summary>Of the marks of nearly one age, the oldest is kept: some hundred marks for a century. Each age up to that has a mark that is older by a tenth
    /// at most. It needs <c>marks</c>, which has the column <c>marked_at</c>.</summary>
    public const string IsSuperfluous =
        """
        marked_at <> all (array(
            select pg_catalog.min(marked_at) from marks
            group by pg_catalog.floor(20.0 * pg_catalog.ln(1.0 + greatest(extract(epoch from pg_catalog.statement_timestamp() - marked_at), 0)))))
        """;

    public const string IsOldEnough = "marked_at <= pg_catalog.statement_timestamp() - @silent_for";

    /// <summary>Lists stale parents.</summary>
    /// <param name="dataSource">The application's data source.</param>
    /// <param name="listSql">Lists them. It has the parameters <c>mark</c>, <c>silent_for</c> and <c>limit</c>.</param>
    /// <param name="silentFor">The time without a sign of life.</param>
    /// <param name="limit">The most parents.</param>
    /// <param name="map">Maps a parent.</param>
    /// <param name="passedOver">Passes over and reports the parents that cannot be read.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    public Task<List<T>> ListStaleAsync<T>(
        NpgsqlDataSource dataSource,
        string listSql,
        TimeSpan silentFor,
        int limit,
        Func<DbDataReader, T> map,
        PassedOverRows passedOver,
        NpgsqlTransaction? transaction,
        CancellationToken cancellationToken) =>
        dataSource.UseAsync<List<T>>(transaction, async connection =>
            await ReadAsync(connection, silentFor, transaction, cancellationToken).ConfigureAwait(false) is { } mark
                ? await connection.QueryReadableAsync(
                    listSql, ToStaleParameters(mark, silentFor, limit), map, passedOver, transaction, cancellationToken).ConfigureAwait(false)
                : [], cancellationToken);

    /// <summary>Takes a mark, locks stale parents, and then changes those that are stale still.</summary>
    /// <param name="dataSource">The application's data source.</param>
    /// <param name="lockSql">Locks them, and returns their ids. It has the parameters <c>mark</c>, <c>silent_for</c> and <c>limit</c>.</param>
    /// <param name="lockOneSql">Locks one of the parents, <c>@ids</c>, where <paramref name="lockSql"/> only finds them; null otherwise.</param>
    /// <param name="changeSql">Checks them again, and changes them. It is a statement of its own, so its snapshot holds what was committed before the locks. It
    /// has the parameters <c>ids</c>, <c>mark</c> and <c>silent_for</c> beside its own.</param>
    /// <param name="silentFor">The time without a sign of life.</param>
    /// <param name="limit">The most parents.</param>
    /// <param name="own">The change's own parameters.</param>
    /// <param name="map">Maps a changed parent.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the statements.</param>
    public Task<List<T>> ChangeStaleAsync<T>(
        NpgsqlDataSource dataSource,
        string lockSql,
        string? lockOneSql,
        string changeSql,
        TimeSpan silentFor,
        int limit,
        Parameters own,
        Func<DbDataReader, T> map,
        NpgsqlTransaction? transaction,
        CancellationToken cancellationToken)
    {
        return dataSource.UseAsync(
            transaction,
            connection => transaction is null
                ? connection.InTransactionAsync(begun => ChangeAsync(connection, begun), cancellationToken)
                : ChangeAsync(connection, transaction),
            cancellationToken);

        async Task<List<T>> ChangeAsync(NpgsqlConnection connection, NpgsqlTransaction inTransaction)
        {
            await connection.ExecuteAsync(takeSql, null, inTransaction, cancellationToken).ConfigureAwait(false);
            await connection.ExecuteAsync(thinSql, null, inTransaction, cancellationToken).ConfigureAwait(false);
            if (await ReadAsync(connection, silentFor, inTransaction, cancellationToken).ConfigureAwait(false) is not { } mark)
            {
                return [];
            }

            var locked = await connection.QueryAsync(
                lockSql, ToStaleParameters(mark, silentFor, limit), row => row.GetGuid(0), inTransaction, cancellationToken).ConfigureAwait(false);
            if (lockOneSql is not null)
            {
                locked = await connection.LockEachAsync(lockOneSql, locked, inTransaction, cancellationToken).ConfigureAwait(false);
            }

            if (locked.Count == 0)
            {
                return [];
            }

            own.Add("ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, locked.ToArray());
            own.Add("mark", NpgsqlDbType.Bigint, mark);
            own.Add("silent_for", NpgsqlDbType.Interval, silentFor);
            return await connection.QueryAsync(changeSql, own, map, inTransaction, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <exception cref="ArgumentOutOfRangeException">The time or the limit is out of range.</exception>
    public static void RequireStale(TimeSpan silentFor, int limit)
    {
        ArgumentRange.Require(silentFor, ArgumentRange.ShortestDuration, ArgumentRange.LongestDuration);
        ArgumentRange.RequireAtLeastOne(limit);
    }

    /// <summary>Reads the newest mark that is old enough.</summary>
    /// <returns>The id of the row that was the newest then; null when no mark is old enough.</returns>
    private async Task<long?> ReadAsync(
        NpgsqlConnection connection, TimeSpan silentFor, NpgsqlTransaction? transaction, CancellationToken cancellationToken)
    {
        var drawn = await connection.QuerySingleAsync(lastIdSql, null, row => row.GetInt64(0), transaction, cancellationToken).ConfigureAwait(false);
        var parameters = new Parameters { { "silent_for", NpgsqlDbType.Interval, silentFor }, { "drawn_id", NpgsqlDbType.Bigint, drawn } };
        var marks = await connection.QueryAsync(readSql, parameters, row => row.GetInt64(0), transaction, cancellationToken).ConfigureAwait(false);
        return marks is [var mark] ? mark : null;
    }

    private static Parameters ToStaleParameters(long mark, TimeSpan silentFor, int limit) => new()
    {
        { "mark", NpgsqlDbType.Bigint, mark },
        { "silent_for", NpgsqlDbType.Interval, silentFor },
        { "limit", NpgsqlDbType.Integer, limit },
    };
}
