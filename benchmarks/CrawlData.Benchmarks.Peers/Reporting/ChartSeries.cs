namespace CrawlData.Benchmarks.Peers.Reporting;

/// <summary>A line of a chart.</summary>
/// <param name="Name">The name in the legend.</param>
/// <param name="Colour">The colour's name in the legend.</param>
/// <param name="ColourCode">The colour for Mermaid.</param>
/// <param name="Values">The values from left to right.</param>
internal sealed record ChartSeries(string Name, string Colour, string ColourCode, IReadOnlyList<double> Values)
{
    public static ChartSeries Baseline(string name, IReadOnlyList<double> values) => new(name, "grey", "#8a94a3", values);

    public static ChartSeries CrawlData(string name, IReadOnlyList<double> values) => new(name, "green", "#0f766e", values);

    public static ChartSeries Other(string name, IReadOnlyList<double> values) => new(name, "blue", "#4f7cc4", values);
}
