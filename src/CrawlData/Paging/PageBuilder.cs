using System.Data.Common;
using CrawlData.Storage;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData;

/// <summary>Builds pages of rows.</summary>
internal static class PageBuilder
{
    /// <summary>Reads a page, by a query that takes <c>@limit</c>. A row that cannot be read is passed over. It counts towards the page's size, and the next
    /// page may start after it.</summary>
    /// <param name="dataSource">The data source.</param>
    /// <param name="sql">The query.</param>
    /// <param name="parameters">Its parameters without the limit.</param>
    /// <param name="pageSize">The most rows on the page.</param>
    /// <param name="map">Maps a row.</param>
    /// <param name="key">Reads a row's key.</param>
    /// <param name="encode">Encodes the key of the page's last row.</param>
    /// <param name="passedOver">Reports the rows that are passed over.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    public static async Task<Page<T>> QueryPageAsync<T, TId>(
        this NpgsqlDataSource dataSource,
        string sql,
        Parameters parameters,
        int pageSize,
        Func<DbDataReader, T> map,
        Func<DbDataReader, KeysetCursor<TId>> key,
        Func<KeysetCursor<TId>, string> encode,
        PassedOverRows passedOver,
        NpgsqlTransaction? transaction,
        CancellationToken cancellationToken) where TId : unmanaged
    {
        var items = new List<T>();
        KeysetCursor<TId> last = default;
        var rows = 0;

        // One row more than the page holds. It shows that another page follows.
        parameters.Add("limit", NpgsqlDbType.Bigint, pageSize + 1L);
        await dataSource.QueryAsync(sql, parameters, Add, transaction, cancellationToken).ConfigureAwait(false);
        passedOver.Report();
        return new Page<T> { Items = items, NextCursor = rows > pageSize ? encode(last) : null };

        int Add(DbDataReader row)
        {
            if (rows < pageSize)
            {
                last = key(row);
                if (passedOver.TryMap(row, map, out var item))
                {
                    items.Add(item);
                }
            }

            return ++rows;
        }
    }
}
