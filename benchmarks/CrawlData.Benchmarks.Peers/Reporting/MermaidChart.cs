using System.Globalization;

namespace CrawlData.Benchmarks.Peers.Reporting;

/// <summary>Creates the text of Mermaid's XY charts.</summary>
internal static class MermaidChart
{
    private const int Width = 900;
    private const int BarPitch = 32;
    private const int FrameHeight = 110;
    private const int LinesHeight = 360;
    private const string BarColour = "#4f7cc4";

    /// <summary>Creates horizontal bars.</summary>
    public static string Bars(string title, string valueAxis, IReadOnlyList<(string Name, double Value)> bars) =>
        $"""
        ---
        config:
          xyChart:
            width: {Width}
            height: {FrameHeight + (bars.Count * BarPitch)}
          themeVariables:
            xyChart:
              plotColorPalette: "{BarColour}"
        ---
        xychart-beta horizontal
          title "{title}"
          x-axis [{string.Join(", ", bars.Select(bar => $"\"{bar.Name}\""))}]
          y-axis "{valueAxis}" 0 --> {Top(bars.Max(bar => bar.Value))}
          bar [{Values(bars.Select(bar => bar.Value))}]
        """;

    /// <summary>Creates lines over equidistant categories, without a legend: Mermaid has none.</summary>
    public static string Lines(string title, string categoryAxis, string valueAxis, IReadOnlyList<string> categories, IReadOnlyList<ChartSeries> series) =>
        $"""
        ---
        config:
          xyChart:
            width: {Width}
            height: {LinesHeight}
          themeVariables:
            xyChart:
              plotColorPalette: "{string.Join(", ", series.Select(one => one.ColourCode))}"
        ---
        xychart-beta
          title "{title}"
          x-axis "{categoryAxis}" [{string.Join(", ", categories.Select(category => $"\"{category}\""))}]
          y-axis "{valueAxis}" 0 --> {Top(series.Max(one => one.Values.Max()))}
          {string.Join("\n  ", series.Select(one => $"line [{Values(one.Values)}]"))}
        """;

    private static string Values(IEnumerable<double> values) => string.Join(", ", values.Select(value => value.ToString("0.##", CultureInfo.InvariantCulture)));

    // A whole number with two significant digits, above the largest value.
    private static string Top(double largest)
    {
        var unit = Math.Max(1, Math.Pow(10, Math.Floor(Math.Log10(largest)) - 1));
        return (Math.Ceiling(largest * 1.02 / unit) * unit).ToString("0", CultureInfo.InvariantCulture);
    }
}
