namespace CrawlData.Benchmarks.Crawls;

/// <summary>The latency of followers that use the same method.</summary>
public sealed record FollowLatencyRow
{
    public required int Followers { get; init; }

    public required string Method { get; init; }

    public required Measurement Latency { get; init; }
}
