namespace CrawlData.Diagnostics;

/// <summary>The size of a table.</summary>
public sealed record TableStatus
{
    /// <summary>Gets the table's name.</summary>
    public required string Table { get; init; }

    /// <summary>Gets the number of rows, as the last VACUUM or ANALYZE estimated it; null before the first of these.</summary>
    public required long? EstimatedRows { get; init; }

    /// <summary>Gets the size on disk, in bytes, with indexes and values that are stored out of line.</summary>
    public required long SizeBytes { get; init; }

    /// <summary>Gets the size of the indexes, in bytes.</summary>
    public required long IndexBytes { get; init; }
}
