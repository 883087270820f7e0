using Npgsql;

namespace CrawlData.Storage;

/// <summary>Runs work on the caller's connection or on a pooled one, with or without a transaction.</summary>
internal static class Connections
{
    /// <summary>Runs work on the transaction's connection. Without a transaction, runs it on a connection from the pool and returns that afterwards.</summary>
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

    /// <summary>Runs work in a transaction. Commits at the end, and rolls back on an exception.</summary>
    public static async Task<T> InTransactionAsync<T>(
        this NpgsqlConnection connection, Func<NpgsqlTransaction, Task<T>> work, CancellationToken cancellationToken)
    {
        var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        await using (transaction.ConfigureAwait(false))
        {
            var result = await work(transaction).ConfigureAwait(false);

            // A cancel during COMMIT would leave the outcome unknown. So the token is checked before it, and not passed to it.
            cancellationToken.ThrowIfCancellationRequested();
            await transaction.CommitAsync(CancellationToken.None).ConfigureAwait(false);
            return result;
        }
    }

    /// <summary>Opens a connection, and runs work in a transaction on it.</summary>
    public static Task<T> InTransactionAsync<T>(
        this NpgsqlDataSource dataSource, Func<NpgsqlConnection, NpgsqlTransaction, Task<T>> work, CancellationToken cancellationToken) =>
        dataSource.UseAsync(
            null, connection => connection.InTransactionAsync(transaction => work(connection, transaction), cancellationToken), cancellationToken);
}
