namespace CrawlData.Benchmarks.Peers.Measurements;

/// <summary>The reads from a table of one size.</summary>
internal sealed record GrowthRow
{
    public required int Events { get; init; }

    public required Measurement ByHand { get; init; }

    public required Measurement List { get; init; }
}
