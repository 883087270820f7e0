namespace CrawlData.Diagnostics;

/// <summary>What a table takes.</summary>
public sealed record TableStatus
{
    /// <summary>The table's name.</summary>
    public required string Table { get; init; }

    /// <summary>Its rows: an estimate, that of the last vacuum or analyze; null before the first.</summary>
    public required long? EstimatedRows { get; init; }

    /// <summary>Its size on disk, in bytes, with its indexes and what is stored out of line.</summary>
    public required long SizeBytes { get; init; }

    /// <summary>The size of its indexes, in bytes.</summary>
    public required long IndexBytes { get; init; }
}
