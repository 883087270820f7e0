namespace CrawlData.Benchmarks.Crawls;

/// <summary>What followers cost that get no event.</summary>
public sealed record FollowCostRow
{
    public required int Followers { get; init; }

    /// <summary>Gets the number of crawls that they follow; 0 for followers of all crawls.</summary>
    public required int Crawls { get; init; }

    public required double StatementsPerSecond { get; init; }

    /// <summary>Gets the processor time of this process, as a share of one core.</summary>
    public required double Processor { get; init; }

    /// <summary>Gets the time of an append to another crawl, with and without the followers in turns; null where it was not measured.</summary>
    public (Measurement Alone, Measurement Beside)? Appends { get; init; }
}
