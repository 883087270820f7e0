using Dapper;
using Npgsql;

namespace CrawlData;

/// <summary>The few ways in which the repositories use a connection.</summary>
internal static class Database
{
    /// <summary>Works on the caller's transaction's connection or, without one, on a connection of the data source, which then goes back to the pool.</summary>
    /// <exception cref="ArgumentException">The transaction has ended.</exception>
    public static async Task<T> UseAsync<T>(
        this NpgsqlDataSource dataSource, NpgsqlTransaction? transaction, Func<NpgsqlConnection, Task<T>> work, CancellationToken cancellationToken)
    {
        if (transaction is not null)
        {
            return await work(transaction.Connection ?? throw new ArgumentException("The transaction has ended.", nameof(transaction))).ConfigureAwait(false);
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

    /// <summary>Reads all rows with a mapping by hand, for what Dapper would map through strings.</summary>
    public static async Task<List<T>> ReadListAsync<T>(
        this NpgsqlConnection connection,
        string sql,
        Parameters parameters,
        NpgsqlTransaction? transaction,
        Func<NpgsqlDataReader, T> read,
        CancellationToken cancellationToken)
    {
        var command = parameters.ToCommand(sql, connection, transaction);
        await using (command.ConfigureAwait(false))
        {
            var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                var rows = new List<T>();
                while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                {
                    rows.Add(read(reader));
                }

                return rows;
            }
        }
    }

    /// <summary>A statement for Dapper.</summary>
    public static CommandDefinition ToDapper(this Parameters parameters, string sql, NpgsqlTransaction? transaction, CancellationToken cancellationToken) =>
        new(sql, parameters, transaction, cancellationToken: cancellationToken);

    /// <summary>A statement for Npgsql alone.</summary>
    public static NpgsqlCommand ToCommand(this Parameters parameters, string sql, NpgsqlConnection connection, NpgsqlTransaction? transaction = null)
    {
        var command = new NpgsqlCommand(sql, connection, transaction);
        command.Parameters.AddRange(parameters.ToArray());
        return command;
    }
}
