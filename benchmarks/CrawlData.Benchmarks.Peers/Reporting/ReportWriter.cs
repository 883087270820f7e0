using System.Globalization;
using System.Text;

namespace CrawlData.Benchmarks.Peers.Reporting;

/// <summary>Writes a report in Markdown.</summary>
internal sealed class ReportWriter
{
    private readonly StringBuilder text = new();

    public void Heading(int level, string heading) => Block($"{new string('#', level)} {heading}");

    public void Paragraph(string paragraph) => Block(paragraph);

    public void Code(string code, string language = "") => Block($"```{language}\n{code}\n```");

    public void List(params IEnumerable<string> items) => Block(string.Join('\n', items.Select(item => $"- {item}")));

    /// <summary>Writes a table.</summary>
    /// <param name="columns">The columns' names.</param>
    /// <param name="rows">The rows' cells.</param>
    /// <param name="texts">The number of columns of text; the columns after them are of numbers.</param>
    public void Table(IReadOnlyList<string> columns, IEnumerable<IReadOnlyList<string>> rows, int texts = 1)
    {
        var lines = new List<string> { Row(columns), Row([.. columns.Select((_, column) => column < texts ? "---" : "---:")]) };
        lines.AddRange(rows.Select(Row));
        Block(string.Join('\n', lines));
    }

    public void Bars(string title, string valueAxis, IReadOnlyList<(string Name, double Value)> bars) =>
        Code(MermaidChart.Bars(title, valueAxis, bars), "mermaid");

    public void Lines(string title, string categoryAxis, string valueAxis, IReadOnlyList<string> categories, params IReadOnlyList<ChartSeries> series)
    {
        Code(MermaidChart.Lines(title, categoryAxis, valueAxis, categories, series), "mermaid");
        Paragraph($"Lines: {string.Join(", ", series.Select(one => $"{one.Colour}: {one.Name}"))}.");
    }

    public Task SaveAsync(string file) => File.WriteAllTextAsync(file, text.ToString());

    private static string Row(IReadOnlyList<string> cells) => $"| {string.Join(" | ", cells)} |";

    private void Block(string block) => text.Append(text.Length > 0 ? "\n" : "").Append(CultureInfo.InvariantCulture, $"{block}\n");
}
