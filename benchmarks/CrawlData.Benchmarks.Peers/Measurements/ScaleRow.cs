namespace CrawlData.Benchmarks.Peers.Measurements;

/// <summary>What one operation takes on a smaller and on a larger table.</summary>
internal sealed record ScaleRow
{
    public required string Operation { get; init; }

    public required Measurement Smaller { get; init; }

    public required Measurement Larger { get; init; }
}
