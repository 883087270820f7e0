using System.Data.Common;
using CrawlData.Storage;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData;

/// <summary>Builds pages of rows.</summary>
internal static class PageBuilder
{
    /// <summary>The bytes of payloads and texts at which a page ends early.</summary>
    public const int MaxBytes = 16 * 1024 * 1024;

    /// <summary>Reads a page, by a query that takes <c>@limit</c>. The page ends early at <see cref="MaxBytes"/>. A row that cannot be read is passed over. It
    /// counts towards the page's size, and the next page may start after it.</summary>
    /// <param name="dataSource">The data source.</param>
    /// <param name="sql">The query.</param>
    /// <param name="parameters">Its parameters without the limit.</param>
    /// <param name="pageSize">The most rows on the page.</param>
    /// <param name="map">Maps a row.</param>
    /// <param name="key">Reads a row's key.</param>
    /// <param name="bytes">Measures a row's payloads and texts.</param>
    /// <param name="encode">Encodes the key of the page's last row.</param>
    /// <param name="passedOver">Reports the rows that are passed over.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    public static Task<Page<T>> QueryPageAsync<T, TId>(
        this NpgsqlDataSource dataSource,
        string sql,
        Parameters parameters,
        int pageSize,
        Func<DbDataReader, T> map,
        Func<DbDataReader, KeysetCursor<TId>> key,
        Func<T, long> bytes,
        Func<KeysetCursor<TId>, string> encode,
        PassedOverRows passedOver,
        NpgsqlTransaction? transaction,
        CancellationToken cancellationToken) where TId : unmanaged
    {
        // One row more than the page holds. It shows that another page follows.
        parameters.Add("limit", NpgsqlDbType.Bigint, pageSize + 1L);
        return dataSource.UseAsync(transaction, async connection =>
        {
            var command = new NpgsqlCommand(transaction is null ? Sql.AtReadCommitted(sql) : sql, connection, transaction);
            await using var commandDisposal = command.ConfigureAwait(false);
            parameters.AddTo(command);
            var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                if (!await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                {
                    return new Page<T> { Items = [] };
                }

                var page = await BoundedPage<T, KeysetCursor<TId>>.ReadOnAsync(
                    reader, map, key, bytes, pageSize, MaxBytes, passedOver, cancellationToken).ConfigureAwait(false);
                var follows = page.IsFull && await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
                if (follows && page.Rows < pageSize && transaction is null)
                {
                    // The reader's disposal reads the remaining rows, and a cancelled query has few left. A cancel aborts the caller's transaction, so there
                    // the rows are read, one at a time, and dropped.
                    command.Cancel();
                }

                return new Page<T> { Items = page.Items, NextCursor = follows ? encode(page.LastKey) : null };
            }
        }, cancellationToken);
    }
}
