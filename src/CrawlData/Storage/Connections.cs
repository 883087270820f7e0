using System.Transactions;
using Npgsql;

namespace CrawlData.Storage;

/// <summary>Calls work with the caller's connection or a pooled one, with or without a transaction. No connection of the library's own enlists in an ambient
/// <see cref="TransactionScope"/>: its isolation level and its snapshot would void what the statements rely on.</summary>
internal static class Connections
{
    /// <summary>Opens a connection that does not enlist in an ambient transaction.</summary>
    /// <exception cref="NpgsqlException">The connection could not be opened.</exception>
    public static async ValueTask<NpgsqlConnection> OpenAsync(this NpgsqlDataSource dataSource, CancellationToken cancellationToken)
    {
        using var outside = Transaction.Current is null
            ? null
            : new TransactionScope(TransactionScopeOption.Suppress, TransactionScopeAsyncFlowOption.Enabled);
        try
        {
            return await dataSource.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException exception)
        {
            // Npgsql throws it bare while another connection of the pool reads the types. With it inside, the error is transient.
            throw new NpgsqlException("The connection could not be opened in time.", exception);
        }
    }

    /// <summary>Refuses a write outside a transaction of the caller's while there is an ambient one: it would be committed on its own.</summary>
    /// <exception cref="InvalidOperationException">There is an ambient transaction.</exception>
    public static void ThrowIfAmbient(NpgsqlTransaction? transaction)
    {
        if (transaction is null && Transaction.Current is not null)
        {
            throw new InvalidOperationException(
                "CrawlData takes no part in an ambient TransactionScope. Pass an NpgsqlTransaction, or suppress the scope around the call.");
        }
    }

    /// <summary>Calls the work with the transaction's connection. Without a transaction, calls it with a connection from the pool, which goes back
    /// afterwards.</summary>
    /// <exception cref="InvalidOperationException">The transaction has ended.</exception>
    public static async Task<T> UseAsync<T>(
        this NpgsqlDataSource dataSource, NpgsqlTransaction? transaction, Func<NpgsqlConnection, Task<T>> work, CancellationToken cancellationToken)
    {
        if (transaction is not null)
        {
            return await work(transaction.Connection!).ConfigureAwait(false);
        }

        var connection = await dataSource.OpenAsync(cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            return await work(connection).ConfigureAwait(false);
        }
    }

    /// <summary>Calls the work in a transaction: commits when it returns, rolls back when it throws.</summary>
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

    /// <summary>Opens a connection, and calls the work in a transaction on it.</summary>
    public static Task<T> InTransactionAsync<T>(
        this NpgsqlDataSource dataSource, Func<NpgsqlConnection, NpgsqlTransaction, Task<T>> work, CancellationToken cancellationToken)
    {
        ThrowIfAmbient(null);
        return dataSource.UseAsync(
            null, connection => connection.InTransactionAsync(transaction => work(connection, transaction), cancellationToken), cancellationToken);
    }
}
