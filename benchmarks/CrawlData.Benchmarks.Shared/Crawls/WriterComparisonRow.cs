namespace CrawlData.Benchmarks.Crawls;

/// <summary>The measurements of a workload, of which the first is the writer's baseline.</summary>
public sealed record WriterComparisonRow
{
    public required int Producers { get; init; }

    public required int Crawls { get; init; }

    /// <summary>Gets whether a producer awaits each of its events.</summary>
    public required bool Awaited { get; init; }

    public required int Events { get; init; }

    public required IReadOnlyList<Measurement> Measurements { get; init; }

    public string Title => $"producers: {Producers}, crawls: {Crawls}, {(Awaited ? "each event awaited" : "no event awaited")}";

    public double EventsPerSecond(Measurement measurement) => Events / measurement.Median.TotalSeconds;
}
