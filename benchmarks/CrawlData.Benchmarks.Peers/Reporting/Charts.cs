namespace CrawlData.Benchmarks.Peers.Reporting;

/// <summary>A bar, and what is written behind it.</summary>
internal sealed record ChartBar(string Name, double Value, string Text);

/// <summary>Bars that are compared with each other.</summary>
internal sealed record ChartGroup(string Title, IReadOnlyList<ChartBar> Bars);

/// <summary>A line through values, from left to right.</summary>
internal sealed record ChartSeries(string Name, IReadOnlyList<double> Values);

internal static class Charts
{
    private const string Ours = "#0f766e";
    private const string Floor = "#8a94a3";
    private const string Others = "#4f7cc4";
    private const double Width = 880;
    private const double Margin = 24;
    private const double BarHeight = 17;
    private const double BarPitch = 24;
    private const double GroupGap = 10;
    private const double TitleHeight = 56;
    private const double AxisHeight = 56;

    private static readonly int[] RoundFactors = [1, 2, 5, 10];
    private static readonly string[] OurNames = ["CrawlData", "CrawlEventWriter", "writer"];

    /// <summary>Horizontal bars in groups; the first bar of a group is what the others are compared with.</summary>
    /// <param name="title">What the chart shows.</param>
    /// <param name="axis">What the values are.</param>
    /// <param name="groups">The bars.</param>
    /// <param name="mark">A value that is marked through all groups; none when null.</param>
    public static string Bars(string title, string axis, IReadOnlyList<ChartGroup> groups, double? mark = null)
    {
        var svg = new Svg();
        var bars = groups.SelectMany(group => group.Bars).ToList();
        var left = Margin + bars.Max(bar => Svg.WidthOf(bar.Name, 13)) + 12;
        var right = Width - Margin - bars.Max(bar => Svg.WidthOf(bar.Text, 12)) - 8;
        var (step, top) = Scale(bars.Max(bar => bar.Value));
        var rows = groups.Sum(group => group.Bars.Count + (group.Title.Length > 0 ? 1 : 0));
        var bottom = TitleHeight + (rows * BarPitch) + (groups.Count * GroupGap);
        var height = bottom + AxisHeight;
        double X(double value) => left + (value / top * (right - left));
        void Label(double tick, string text) => svg.Text(X(tick), bottom + 18, text, size: 12, anchor: "middle", fill: Svg.Muted);

        svg.Text(Margin, 34, title, size: 16, bold: true);
        Grid(step, top, tick => svg.Line(X(tick), TitleHeight, X(tick), bottom), Label);
        svg.Text((left + right) / 2, bottom + 40, axis, size: 12, anchor: "middle", fill: Svg.Muted);
        if (mark is { } marked)
        {
            svg.Line(X(marked), TitleHeight, X(marked), bottom, stroke: Svg.Ink, dashed: true);
        }

        var y = TitleHeight;
        foreach (var group in groups)
        {
            if (group.Title.Length > 0)
            {
                y += BarPitch;
                svg.Text(Margin, y - 7, group.Title, bold: true);
            }

            foreach (var (bar, index) in group.Bars.Select((bar, index) => (bar, index)))
            {
                var ours = IsOurs(bar.Name);
                svg.Text(left - 10, y + 14, bar.Name, anchor: "end", bold: ours);
                svg.Bar(left, y + 1, X(bar.Value) - left, BarHeight, ours ? Ours : index == 0 ? Floor : Others);
                svg.Text(X(bar.Value) + 7, y + 14, bar.Text, size: 12, bold: ours);
                y += BarPitch;
            }

            y += GroupGap;
        }

        return svg.ToString(Width, height);
    }

    /// <summary>Lines over places that are equally far from each other.</summary>
    public static string Lines(
        string title, string xAxis, string yAxis, IReadOnlyList<string> places, IReadOnlyList<ChartSeries> series, Func<double, string> format)
    {
        const double height = 400;
        const double left = 84;
        const double right = Width - 70;
        const double top = TitleHeight + 40;
        const double bottom = height - 64;
        var svg = new Svg();
        var (step, most) = Scale(series.Max(one => one.Values.Max()) * 1.15);
        double X(int place) => places.Count == 1 ? (left + right) / 2 : left + 60 + (place * (right - left - 120) / (places.Count - 1));
        double Y(double value) => bottom - (value / most * (bottom - top));
        void Label(double tick, string text) => svg.Text(left - 10, Y(tick) + 4, text, size: 12, anchor: "end", fill: Svg.Muted);

        svg.Text(Margin, 34, title, size: 16, bold: true);
        svg.Text(Margin, TitleHeight + 16, yAxis, size: 12, fill: Svg.Muted);
        Grid(step, most, tick => svg.Line(left, Y(tick), right, Y(tick)), Label);
        for (var place = 0; place < places.Count; place++)
        {
            svg.Text(X(place), bottom + 20, places[place], size: 12, anchor: "middle", fill: Svg.Muted);
        }

        svg.Text((left + right) / 2, bottom + 44, xAxis, size: 12, anchor: "middle", fill: Svg.Muted);
        var legend = right;
        foreach (var one in series)
        {
            var colour = IsOurs(one.Name) ? Ours : Floor;
            legend -= Svg.WidthOf(one.Name, 13) + 40;
            svg.Bar(legend, TitleHeight + 7, 18, 4, colour);
            svg.Text(legend + 24, TitleHeight + 15, one.Name);
            svg.Curve([.. one.Values.Select((value, place) => (X(place), Y(value)))], colour);
            foreach (var (value, place) in one.Values.Select((value, place) => (value, place)))
            {
                // The highest value of a place stands above its point and the others below, where they do not meet.
                var above = one == series.MaxBy(other => other.Values[place]);
                var fill = IsOurs(one.Name) ? Ours : Svg.Muted;
                svg.Text(X(place), Y(value) + (above ? -11 : 21), format(value), size: 12, anchor: "middle", fill: fill, bold: true);
            }
        }

        return svg.ToString(Width, height);
    }

    private static bool IsOurs(string name) => OurNames.Any(ours => name.StartsWith(ours, StringComparison.Ordinal));

    private static void Grid(double step, double top, Action<double> line, Action<double, string> label)
    {
        for (var tick = 0; tick * step <= top * 1.0001; tick++)
        {
            line(tick * step);
            label(tick * step, (tick * step).ToString("#,0.###", System.Globalization.CultureInfo.InvariantCulture));
        }
    }

    /// <summary>A round step of some five to the most, and the multiple of it that is not less than the most.</summary>
    private static (double Step, double Top) Scale(double most)
    {
        var rough = most / 5;
        var power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        var step = power * RoundFactors.First(factor => factor * power >= rough * 0.999);
        return (step, Math.Ceiling(most / step) * step);
    }
}
