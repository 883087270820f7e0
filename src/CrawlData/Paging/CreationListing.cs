using NpgsqlTypes;

namespace CrawlData;

/// <summary>What listings by the time of creation, in either order, have in common.</summary>
internal static class CreationListing
{
    /// <exception cref="InvalidValueException">The order is none.</exception>
    public static T Choose<T>(this ListOrder order, T newestFirst, T oldestFirst) => order switch
    {
        ListOrder.NewestFirst => newestFirst,
        ListOrder.OldestFirst => oldestFirst,
        _ => throw new InvalidValueException("order", $"is {order:D}, which is not a ListOrder"),
    };

    /// <summary>Adds where a page begins and ends: the cursor, or the range, whichever is narrower. A range's end as a cursor:
    /// (created_at, id) &lt; (t, the least uuid) is created_at &lt; t.</summary>
    public static void AddRange(this Parameters parameters, ListOrder order, KeysetCursor<Guid>? cursor, DateTimeOffset? createdFrom, DateTimeOffset? createdBefore)
    {
        var after = order == ListOrder.OldestFirst ? cursor : null;
        var before = order == ListOrder.NewestFirst ? cursor : null;
        if (createdBefore is { } end && (before is null || before.Value.Time >= end))
        {
            before = new KeysetCursor<Guid>(end, Guid.Empty);
        }

        parameters.Add("from_time", NpgsqlDbType.TimestampTz, createdFrom ?? DateTimeOffset.MinValue);
        parameters.Add("after_time", NpgsqlDbType.TimestampTz, after?.Time ?? DateTimeOffset.MinValue);
        parameters.Add("after_key", NpgsqlDbType.Uuid, after?.Id ?? Guid.Empty);
        parameters.Add("before_time", NpgsqlDbType.TimestampTz, before?.Time ?? DateTimeOffset.MaxValue);
        parameters.Add("before_key", NpgsqlDbType.Uuid, before?.Id ?? Guid.AllBitsSet);
    }
}
