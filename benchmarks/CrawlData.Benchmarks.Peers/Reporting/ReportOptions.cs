namespace CrawlData.Benchmarks.Peers.Reporting;

/// <summary>The options of a report.</summary>
internal sealed record ReportOptions
{
    public required string Folder { get; init; }

    public required BenchmarkScale Scale { get; init; }

    /// <summary>Gets whether the figures mean nothing, because the scale is small.</summary>
    public required bool Quick { get; init; }

    /// <summary>Gets whether the servers that the report starts itself run with fsync on.</summary>
    public required bool Fsync { get; init; }

    /// <summary>Gets the number of events in the only table to measure; null to take the whole report.</summary>
    public long? LargeTable { get; init; }

    /// <summary>Gets the command that takes the report again.</summary>
    public required string Command { get; init; }
}
