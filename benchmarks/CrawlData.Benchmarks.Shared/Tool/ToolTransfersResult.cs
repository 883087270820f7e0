namespace CrawlData.Benchmarks.Tool;

/// <summary>The imports and exports of one crawl by whole processes. The first measurement of each is psql's.</summary>
public sealed record ToolTransfersResult
{
    public required int Events { get; init; }

    /// <summary>Gets the size of the recording in bytes.</summary>
    public required long Bytes { get; init; }

    public required IReadOnlyList<Measurement> Imports { get; init; }

    public required IReadOnlyList<Measurement> Exports { get; init; }

    /// <summary>Gets the processor time of each program's imports, in their order; null where the system does not tell.</summary>
    public required IReadOnlyList<TimeSpan?> ImportProcessor { get; init; }

    /// <inheritdoc cref="ImportProcessor"/>
    public required IReadOnlyList<TimeSpan?> ExportProcessor { get; init; }

    /// <summary>Gets the starts of a program that says hello, and of <c>--help</c>; empty when they were left out.</summary>
    public required IReadOnlyList<Measurement> Starts { get; init; }
}
