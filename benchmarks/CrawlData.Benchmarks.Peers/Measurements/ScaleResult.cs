namespace CrawlData.Benchmarks.Peers.Measurements;

/// <summary>The operations on tables of two sizes, in events.</summary>
internal sealed record ScaleResult
{
    public required long Smaller { get; init; }

    public required long Larger { get; init; }

    public required IReadOnlyList<ScaleRow> Rows { get; init; }

    /// <summary>Gets the size of the larger table with its indexes, in bytes.</summary>
    public required long Bytes { get; init; }

    /// <summary>Gets what each part of the measurement took.</summary>
    public required IReadOnlyList<(string Part, TimeSpan Time)> Parts { get; init; }
}
