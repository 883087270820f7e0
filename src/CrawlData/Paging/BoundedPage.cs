using System.Data.Common;
using CrawlData.Storage;
using Npgsql;

namespace CrawlData;

/// <summary>Rows that were read until a page was full.</summary>
/// <param name="Items">The rows that can be read.</param>
/// <param name="LastKey">The key of the last row, also of one that was passed over.</param>
/// <param name="Rows">The number of rows, with those that were passed over.</param>
/// <param name="IsFull">Whether the page ended at a limit, so that further rows may follow.</param>
internal sealed record BoundedPage<T, TKey>(List<T> Items, TKey LastKey, int Rows, bool IsFull) where TKey : struct
{
    /// <summary>Reads rows, from the reader's current one on, until there are no more, or until their number or their bytes reach a limit. So the page holds
    /// fewer bytes than the limit, plus one row. A row that cannot be read is passed over, and counts as a row.</summary>
    /// <param name="reader">The reader.</param>
    /// <param name="map">Maps a row.</param>
    /// <param name="key">Reads a row's key.</param>
    /// <param name="bytes">Measures a row's payloads and texts.</param>
    /// <param name="maxRows">The number of rows at which the page ends.</param>
    /// <param name="maxBytes">The bytes at which the page ends.</param>
    /// <param name="passedOver">Passes over and reports the rows that cannot be read.</param>
    /// <param name="cancellationToken">Cancels the read.</param>
    public static async Task<BoundedPage<T, TKey>> ReadOnAsync(
        NpgsqlDataReader reader,
        Func<DbDataReader, T> map,
        Func<DbDataReader, TKey> key,
        Func<T, long> bytes,
        int maxRows,
        long maxBytes,
        PassedOverRows passedOver,
        CancellationToken cancellationToken)
    {
        var items = new List<T>();
        var (rows, held, last, isFull) = (0, 0L, default(TKey), false);
        do
        {
            rows++;
            last = key(reader);
            if (passedOver.TryMap(reader, map, out var item))
            {
                items.Add(item);
                held += bytes(item);
            }

            isFull = rows >= maxRows || held >= maxBytes;
        }
        while (!isFull && await reader.ReadAsync(cancellationToken).ConfigureAwait(false));

        passedOver.Report();
        return new BoundedPage<T, TKey>(items, last, rows, isFull);
    }
}
