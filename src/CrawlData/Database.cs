using System.Data.Common;
using Dapper;
using Npgsql;

namespace CrawlData;

/// <summary>The few ways in which statements are run. Dapper executes them; rows are mapped by hand, since Dapper's mapping goes through type handlers and
/// conventions that are process-wide, and the application's to change.</summary>
internal static class Database
{
    /// <summary>Works on the caller's transaction's connection or, without one, on a connection of the data source, which then goes back to the
    /// pool.</summary>
    /// <exception cref="InvalidOperationException">The transaction has ended.</exception>
    public static async Task<T> UseAsync<T>(
        this NpgsqlDataSource dataSource, NpgsqlTransaction? transaction, Func<NpgsqlConnection, Task<T>> work, CancellationToken cancellationToken)
    {
        if (transaction is not null)
        {
            return await work(transaction.Connection!).ConfigureAwait(false);
        }

        var connection = await dataSource.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            return await work(connection).ConfigureAwait(false);
        }
    }

    /// <summary>Works in a transaction, which is committed at the end and rolled back on an exception.</summary>
    public static async Task<T> InTransactionAsync<T>(
        this NpgsqlConnection connection, Func<NpgsqlTransaction, Task<T>> work, CancellationToken cancellationToken)
    {
        var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        await using (transaction.ConfigureAwait(false))
        {
            var result = await work(transaction).ConfigureAwait(false);
            await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
            return result;
        }
    }

    /// <summary>A statement, with the caller's transaction or none.</summary>
    public static CommandDefinition Command(string sql, Parameters? parameters, NpgsqlTransaction? transaction, CancellationToken cancellationToken) =>
        new(sql, parameters ?? new Parameters(), transaction, cancellationToken: cancellationToken);

    /// <summary>Reads all rows of a statement.</summary>
    public static Task<List<T>> ReadListAsync<T>(this NpgsqlDataSource dataSource, CommandDefinition command, Func<DbDataReader, T> read) =>
        dataSource.UseAsync((NpgsqlTransaction?)command.Transaction, connection => connection.ReadListAsync(command, read), command.CancellationToken);

    /// <inheritdoc cref="ReadListAsync{T}(NpgsqlDataSource, CommandDefinition, Func{DbDataReader, T})"/>
    public static async Task<List<T>> ReadListAsync<T>(this NpgsqlConnection connection, CommandDefinition command, Func<DbDataReader, T> read)
    {
        var reader = await connection.ExecuteReaderAsync(command).ConfigureAwait(false);
        await using (reader.ConfigureAwait(false))
        {
            var rows = new List<T>();
            while (await reader.ReadAsync(command.CancellationToken).ConfigureAwait(false))
            {
                rows.Add(read(reader));
            }

            return rows;
        }
    }

    /// <summary>Reads a column that may be null.</summary>
    public static T? GetNullable<T>(this DbDataReader reader, int ordinal) => reader.IsDBNull(ordinal) ? default : reader.GetFieldValue<T>(ordinal);
}
