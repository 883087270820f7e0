using System.Data.Common;
using CrawlData.Storage;
using Npgsql;
using NpgsqlTypes;

namespace CrawlData;

/// <summary>Builds listings by time of creation, in either order.</summary>
internal static class CreationListing
{
    /// <summary>Chooses a statement or a kind of cursor by the order of the listing.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The order is not defined.</exception>
    public static T Choose<T>(this ListOrder order, T newestFirst, T oldestFirst) => order switch
    {
        ListOrder.NewestFirst => newestFirst,
        ListOrder.OldestFirst => oldestFirst,
        _ => throw new ArgumentOutOfRangeException(nameof(order), order, "The order is not defined."),
    };

    /// <summary>Lists a page of rows.</summary>
    /// <param name="dataSource">The data source.</param>
    /// <param name="listing">The statement, and the kind of its cursors.</param>
    /// <param name="parameters">Makes the parameters but the limit, from the cursor.</param>
    /// <param name="map">Maps a row.</param>
    /// <param name="key">Returns the key of a row.</param>
    /// <param name="pageSize">The most rows.</param>
    /// <param name="cursor">The last page's cursor; null for the first page.</param>
    /// <param name="transaction">The caller's transaction, or null.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <exception cref="InvalidValueException">The cursor is not one of this listing.</exception>
    public static async Task<Page<T>> ListAsync<T>(
        this NpgsqlDataSource dataSource,
        (string Sql, CursorKind Kind) listing,
        Func<KeysetCursor<Guid>?, Parameters> parameters,
        Func<DbDataReader, T> map,
        Func<T, KeysetCursor<Guid>> key,
        int pageSize,
        string? cursor,
        NpgsqlTransaction? transaction,
        CancellationToken cancellationToken)
    {
        var all = parameters(cursor is null ? null : KeysetCursor<Guid>.Decode(cursor, listing.Kind));
        all.Add("limit", NpgsqlDbType.Integer, pageSize + 1);
        var rows = await dataSource.QueryAsync(listing.Sql, all, map, transaction, cancellationToken).ConfigureAwait(false);
        return PageBuilder.Build(rows, pageSize, last => key(last).Encode(listing.Kind));
    }

    /// <summary>Adds the bounds of a page: the narrower of the cursor and the range. The ends of a range are cursors too. (created_at, id) &lt; (t, the least
    /// uuid) means created_at &lt; t. (created_at, id) > (t - 1 µs, the greatest uuid) means created_at >= t.</summary>
    public static void AddRange(
        this Parameters parameters, ListOrder order, KeysetCursor<Guid>? cursor, DateTimeOffset? createdFrom, DateTimeOffset? createdBefore)
    {
        var after = order == ListOrder.OldestFirst ? cursor : null;
        var before = order == ListOrder.NewestFirst ? cursor : null;
        if (createdFrom is { } start && (after is null || after.Value.Time < start))
        {
            after = new KeysetCursor<Guid>(start.AddMicroseconds(-1), Guid.AllBitsSet);
        }

        if (createdBefore is { } end && (before is null || before.Value.Time >= end))
        {
            before = new KeysetCursor<Guid>(end, Guid.Empty);
        }

        parameters.Add("after_time", NpgsqlDbType.TimestampTz, after?.Time ?? DateTimeOffset.MinValue);
        parameters.Add("after_key", NpgsqlDbType.Uuid, after?.Id ?? Guid.Empty);
        parameters.Add("before_time", NpgsqlDbType.TimestampTz, before?.Time ?? DateTimeOffset.MaxValue);
        parameters.Add("before_key", NpgsqlDbType.Uuid, before?.Id ?? Guid.AllBitsSet);
    }
}
