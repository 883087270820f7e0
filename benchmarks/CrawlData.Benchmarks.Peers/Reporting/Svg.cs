using System.Globalization;
using System.Security;
using System.Text;

namespace CrawlData.Benchmarks.Peers.Reporting;

/// <summary>A drawing with a background of its own, so that it reads the same on a light page and on a dark one.</summary>
internal sealed class Svg
{
    public const string Ink = "#1f2937";
    public const string Muted = "#5b6472";
    public const string Grid = "#dfe3e8";

    private const string Paper = "#fbfcfd";
    private const string Fonts = "system-ui, 'Segoe UI', 'DejaVu Sans', Helvetica, Arial, sans-serif";

    private readonly StringBuilder shapes = new();

    /// <summary>About how wide text is in bold, in the widest of the fonts that are asked for.</summary>
    public static double WidthOf(string text, double size) => text.Length * size * 0.66;

    /// <summary>Writes text, with a border of the background's colour that keeps lines away from it.</summary>
    public void Text(double x, double y, string text, double size = 13, string anchor = "start", string fill = Ink, bool bold = false)
    {
        Add($"""<text x="{x:0.#}" y="{y:0.#}" font-size="{size:0.#}" font-weight="{(bold ? 600 : 400)}" text-anchor="{anchor}" fill="{fill}" """);
        Add($"""stroke="{Paper}" stroke-width="4" paint-order="stroke">{SecurityElement.Escape(text)}</text>""");
    }

    public void Bar(double x, double y, double width, double height, string fill) => Add(
        $"""<rect x="{x:0.#}" y="{y:0.#}" width="{Math.Max(width, 1):0.#}" height="{height:0.#}" rx="2" fill="{fill}"/>""");

    public void Line(double x1, double y1, double x2, double y2, string stroke = Grid, bool dashed = false) => Add(
        $"""<line x1="{x1:0.#}" y1="{y1:0.#}" x2="{x2:0.#}" y2="{y2:0.#}" stroke="{stroke}" stroke-width="1"{(dashed ? " stroke-dasharray=\"4 3\"" : "")}/>""");

    public void Curve(IReadOnlyList<(double X, double Y)> points, string stroke)
    {
        var line = string.Join(' ', points.Select(point => string.Create(CultureInfo.InvariantCulture, $"{point.X:0.#},{point.Y:0.#}")));
        Add($"""<polyline points="{line}" fill="none" stroke="{stroke}" stroke-width="2.5" stroke-linejoin="round"/>""");
        foreach (var (x, y) in points)
        {
            Add($"""<circle cx="{x:0.#}" cy="{y:0.#}" r="4" fill="{stroke}"/>""");
        }
    }

    public string ToString(double width, double height) => string.Create(CultureInfo.InvariantCulture,
        $"""
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:0} {height:0}" width="{width:0}" height="{height:0}" font-family="{Fonts}">
        <rect x="0.5" y="0.5" width="{width - 1:0.#}" height="{height - 1:0.#}" rx="8" fill="{Paper}" stroke="#c9ced6"/>
        {shapes}</svg>

        """);

    private void Add(FormattableString shape) => shapes.Append(shape.ToString(CultureInfo.InvariantCulture)).Append('\n');
}
