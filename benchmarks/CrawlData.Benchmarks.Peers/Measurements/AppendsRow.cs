namespace CrawlData.Benchmarks.Peers.Measurements;

/// <summary>The appends of one number of events. The first measurement is the baseline.</summary>
internal sealed record AppendsRow
{
    public required int Events { get; init; }

    public required IReadOnlyList<Measurement> Measurements { get; init; }
}
