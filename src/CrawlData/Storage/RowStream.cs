using System.Data;
using System.Data.Common;
using System.Runtime.CompilerServices;
using Npgsql;

namespace CrawlData.Storage;

/// <summary>Streams the rows of a query.</summary>
internal static class RowStream
{
    /// <summary>Reads each row as it arrives, on the transaction's connection, or on a pooled one that it holds until the end. It may be enumerated several
    /// times. Each enumeration has its own parameters and reader. Rows that cannot be read are passed over; without
    /// <paramref name="passedOver"/>, they are not expected.</summary>
    public static async IAsyncEnumerable<T> StreamAsync<T>(
        this NpgsqlDataSource dataSource,
        string sql,
        Func<Parameters> parameters,
        Func<Func<DbDataReader, T>> maps,
        Func<PassedOverRows>? passedOver,
        NpgsqlTransaction? transaction,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var own = transaction is null ? await dataSource.OpenAsync(cancellationToken).ConfigureAwait(false) : null;
        try
        {
            var command = own is not null
                ? new NpgsqlCommand(Sql.AtReadCommitted(sql), own)
                : new NpgsqlCommand(sql, transaction!.Connection!, transaction);
            await using var commandDisposal = command.ConfigureAwait(false);
            parameters().AddTo(command);
            var reader = await command.ExecuteReaderAsync(CommandBehavior.SingleResult, cancellationToken).ConfigureAwait(false);
            await using var readerDisposal = reader.ConfigureAwait(false);
            var yielding = false;

            var map = maps();
            var unreadable = passedOver?.Invoke();
            try
            {
                while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                {
                    yielding = true;
                    if (unreadable is null)
                    {
                        yield return map(reader);
                    }
                    else if (unreadable.TryMap(reader, map, out var row))
                    {
                        yield return row;
                    }

                    // The reader looks at the token only when it has to wait.
                    cancellationToken.ThrowIfCancellationRequested();
                    yielding = false;
                }
            }
            finally
            {
                unreadable?.Report();

                // The consumer left early. Disposal reads the remaining rows, and a cancelled query has few left. A cancel request costs a connection, so none
                // is sent after the last row. It aborts the caller's transaction, so there it is sent only when the caller cancels.
                if (yielding && (own is not null || cancellationToken.IsCancellationRequested))
                {
                    command.Cancel();
                }
            }
        }
        finally
        {
            if (own is not null)
            {
                await own.DisposeAsync().ConfigureAwait(false);
            }
        }
    }
}
