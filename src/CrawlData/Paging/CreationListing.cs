using CrawlData.Storage;
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

    /// <summary>Adds the bounds of a page: the narrower of the cursor and the range. The ends of a range are cursors too. (created_at, id) &lt; (t, the least
    /// uuid) means created_at &lt; t. (created_at, id) > (t - 1 µs, the greatest uuid) means created_at >= t.</summary>
    public static void AddRange(
        this Parameters parameters, ListOrder order, KeysetCursor<Guid>? cursor, DateTimeOffset? createdFrom, DateTimeOffset? createdBefore)
    {
        var after = order == ListOrder.OldestFirst ? cursor : null;
        var before = order == ListOrder.NewestFirst ? cursor : null;
        if (Instant.From(createdFrom) is { } start && (after is null || after.Value.Time.Microseconds < start.Microseconds))
        {
            after = new KeysetCursor<Guid>(new Instant(start.Microseconds - 1), Guid.AllBitsSet);
        }

        if (Instant.From(createdBefore) is { } end && (before is null || before.Value.Time.Microseconds >= end.Microseconds))
        {
            before = new KeysetCursor<Guid>(end, Guid.Empty);
        }

        parameters.Add("after_time", NpgsqlDbType.TimestampTz, after?.Time ?? Instant.NegativeInfinity);
        parameters.Add("after_key", NpgsqlDbType.Uuid, after?.Id ?? Guid.Empty);
        parameters.Add("before_time", NpgsqlDbType.TimestampTz, before?.Time ?? Instant.Infinity);
        parameters.Add("before_key", NpgsqlDbType.Uuid, before?.Id ?? Guid.AllBitsSet);
    }
}
