namespace CrawlData.Benchmarks.Peers.Measurements;

/// <summary>The cold reads from tables of one size.</summary>
internal sealed record ColdReadsResult
{
    /// <summary>Gets the number of events in a table.</summary>
    public required int Events { get; init; }

    public required IReadOnlyList<Measurement> Measurements { get; init; }

    /// <summary>Gets the number of table pages with the crawl's events, in the order of <see cref="Measurements"/>.</summary>
    public required IReadOnlyList<long> Pages { get; init; }

    public required bool PageCacheDropped { get; init; }

    public required bool Fsync { get; init; }
}
