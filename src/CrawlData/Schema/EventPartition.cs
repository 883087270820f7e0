namespace CrawlData.Schema;

/// <summary>A partition of <c>crawl_events</c>: the events whose ids lie in a range.</summary>
public sealed record EventPartition
{
    /// <summary>Gets the partition's table, such as <c>crawl_events_1010000000_to_1020000000</c>.</summary>
    public required string Table { get; init; }

    /// <summary>Gets the first id of the range; null for the oldest partition, which has no lower bound.</summary>
    public required long? FromId { get; init; }

    /// <summary>Gets the id at which the range ends. It belongs to the next partition.</summary>
    public required long ToId { get; init; }

    /// <summary>Gets the number of rows, as the last VACUUM or ANALYZE estimated it; null before the first of these.</summary>
    public required long? EstimatedRows { get; init; }

    /// <summary>Gets the size on disk, in bytes, with indexes and values that are stored out of line.</summary>
    public required long SizeBytes { get; init; }

    /// <summary>Gets whether its detachment was interrupted. No statement finds its events any more; the next purge finishes it.</summary>
    public bool IsDetaching { get; init; }

    /// <summary>Whether the range lies beyond the next id.</summary>
    internal bool IsAhead(long lastId) => FromId > lastId + 1;

    /// <summary>Whether an id of the range can still be drawn.</summary>
    internal bool IsOpen(long lastId) => ToId - 1 > lastId;

    /// <summary>The name of the table of a range.</summary>
    internal static string NameOf(long? fromId, long toId) => $"crawl_events_{fromId ?? 0}_to_{toId}";
}
