using System.Data.Common;
using Dapper;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData.Storage;

/// <summary>Runs SQL statements with Dapper. It maps rows by hand, because Dapper's mapping uses process-wide type handlers and conventions, which the
/// application may change.</summary>
internal static class Sql
{
    // The statements rely on READ COMMITTED, and a role or database may have another default. The command's statements are one implicit transaction, so this
    // costs no round trip, and nothing of it stays in the session.
    internal const string ReadCommitted = "set transaction_isolation to 'read committed';\n";

    /// <summary>Makes a statement outside a transaction run at READ COMMITTED, whatever the session's default.</summary>
    public static string AtReadCommitted(string sql) => ReadCommitted + sql;

    /// <summary>Runs a query, and maps each row.</summary>
    public static async Task<List<T>> QueryAsync<T>(
        this NpgsqlConnection connection,
        string sql,
        Parameters? parameters,
        Func<DbDataReader, T> map,
        NpgsqlTransaction? transaction,
        CancellationToken cancellationToken)
    {
        var reader = await connection.ExecuteReaderAsync(sql, parameters, transaction, cancellationToken).ConfigureAwait(false);
        await using (reader.ConfigureAwait(false))
        {
            return await reader.ReadAllAsync(map, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Runs a query on the transaction's connection, or on a pooled one.</summary>
    public static Task<List<T>> QueryAsync<T>(
        this NpgsqlDataSource dataSource,
        string sql,
        Parameters? parameters,
        Func<DbDataReader, T> map,
        NpgsqlTransaction? transaction,
        CancellationToken cancellationToken) =>
        dataSource.UseAsync(transaction, connection => connection.QueryAsync(sql, parameters, map, transaction, cancellationToken), cancellationToken);

    /// <summary>Runs a query, and maps each row that can be read. The others are passed over.</summary>
    public static async Task<List<T>> QueryReadableAsync<T>(
        this NpgsqlConnection connection,
        string sql,
        Parameters? parameters,
        Func<DbDataReader, T> map,
        PassedOverRows passedOver,
        NpgsqlTransaction? transaction,
        CancellationToken cancellationToken)
    {
        var rows = await connection.QueryAsync(
            sql, parameters, row => (IsReadable: passedOver.TryMap(row, map, out var mapped), Row: mapped), transaction, cancellationToken)
            .ConfigureAwait(false);
        passedOver.Report();
        return [.. rows.Where(row => row.IsReadable).Select(row => row.Row!)];
    }

    /// <inheritdoc cref="QueryReadableAsync{T}(NpgsqlConnection, string, Parameters?, Func{DbDataReader, T}, PassedOverRows, NpgsqlTransaction?,
    /// CancellationToken)"/>
    public static Task<List<T>> QueryReadableAsync<T>(
        this NpgsqlDataSource dataSource,
        string sql,
        Parameters? parameters,
        Func<DbDataReader, T> map,
        PassedOverRows passedOver,
        NpgsqlTransaction? transaction,
        CancellationToken cancellationToken) =>
        dataSource.UseAsync(
            transaction, connection => connection.QueryReadableAsync(sql, parameters, map, passedOver, transaction, cancellationToken), cancellationToken);

    /// <summary>Runs a query that returns exactly one row.</summary>
    public static async Task<T> QuerySingleAsync<T>(
        this NpgsqlConnection connection,
        string sql,
        Parameters? parameters,
        Func<DbDataReader, T> map,
        NpgsqlTransaction? transaction,
        CancellationToken cancellationToken) =>
        (await connection.QueryAsync(sql, parameters, map, transaction, cancellationToken).ConfigureAwait(false)).Single();

    /// <inheritdoc cref="QuerySingleAsync{T}(NpgsqlConnection, string, Parameters?, Func{DbDataReader, T}, NpgsqlTransaction?, CancellationToken)"/>
    public static async Task<T> QuerySingleAsync<T>(
        this NpgsqlDataSource dataSource,
        string sql,
        Parameters? parameters,
        Func<DbDataReader, T> map,
        NpgsqlTransaction? transaction,
        CancellationToken cancellationToken) =>
        (await dataSource.QueryAsync(sql, parameters, map, transaction, cancellationToken).ConfigureAwait(false)).Single();

    /// <summary>Runs a query that returns at most one row.</summary>
    /// <returns>The row; null when no row matches.</returns>
    public static async Task<T?> QuerySingleOrDefaultAsync<T>(
        this NpgsqlDataSource dataSource,
        string sql,
        Parameters? parameters,
        Func<DbDataReader, T> map,
        NpgsqlTransaction? transaction,
        CancellationToken cancellationToken) where T : class =>
        (await dataSource.QueryAsync(sql, parameters, map, transaction, cancellationToken).ConfigureAwait(false)).SingleOrDefault();

    /// <summary>Runs a query, for a caller that reads its results itself.</summary>
    public static Task<DbDataReader> ExecuteReaderAsync(
        this NpgsqlConnection connection, string sql, Parameters? parameters, NpgsqlTransaction? transaction, CancellationToken cancellationToken) =>
        connection.ExecuteReaderAsync(Command(sql, parameters, transaction, cancellationToken));

    /// <summary>Runs a statement.</summary>
    /// <returns>The number of rows that it changed.</returns>
    public static Task<int> ExecuteAsync(
        this NpgsqlConnection connection, string sql, Parameters? parameters, NpgsqlTransaction? transaction, CancellationToken cancellationToken) =>
        connection.ExecuteAsync(Command(sql, parameters, transaction, cancellationToken));

    /// <inheritdoc cref="ExecuteAsync(NpgsqlConnection, string, Parameters?, NpgsqlTransaction?, CancellationToken)"/>
    public static Task<int> ExecuteAsync(
        this NpgsqlDataSource dataSource, string sql, Parameters? parameters, NpgsqlTransaction? transaction, CancellationToken cancellationToken)
    {
        Connections.ThrowIfAmbient(transaction);
        return dataSource.UseAsync(transaction, connection => connection.ExecuteAsync(sql, parameters, transaction, cancellationToken), cancellationToken);
    }

    /// <summary>Locks rows one at a time, in the order of their ids.</summary>
    /// <param name="connection">The connection.</param>
    /// <param name="sql">Locks the rows <c>@ids</c> that are to be had, and returns their ids.</param>
    /// <param name="ids">The rows.</param>
    /// <param name="transaction">The transaction that holds the locks.</param>
    /// <param name="cancellationToken">Cancels the statements.</param>
    /// <returns>The rows that were locked.</returns>
    public static async Task<List<Guid>> LockEachAsync(
        this NpgsqlConnection connection, string sql, IEnumerable<Guid> ids, NpgsqlTransaction transaction, CancellationToken cancellationToken)
    {
        var locked = new List<Guid>();
        foreach (var id in ids.Order())
        {
            var parameters = new Parameters { { "ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, new[] { id } } };
            locked.AddRange(await connection.QueryAsync(sql, parameters, row => row.GetGuid(0), transaction, cancellationToken).ConfigureAwait(false));
        }

        return locked;
    }

    // Dapper may set a process-wide time-out on the command. The class Parameters restores the connection's time-out, so a statement without parameters gets
    // an empty Parameters.
    private static CommandDefinition Command(string sql, Parameters? parameters, NpgsqlTransaction? transaction, CancellationToken cancellationToken) =>
        new(transaction is null ? AtReadCommitted(sql) : sql, parameters ?? new Parameters(), transaction, cancellationToken: cancellationToken);
}
