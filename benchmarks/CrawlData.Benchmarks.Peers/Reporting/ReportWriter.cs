using System.Globalization;
using System.Text;

namespace CrawlData.Benchmarks.Peers.Reporting;

/// <summary>Writes a report in Markdown, with charts beside it.</summary>
internal sealed class ReportWriter(string folder)
{
    private readonly StringBuilder text = new();

    public void Heading(int level, string heading) => Block($"{new string('#', level)} {heading}");

    public void Paragraph(string paragraph) => Block(paragraph);

    public void Code(string code) => Block($"```\n{code}\n```");

    public void List(IEnumerable<string> items) => Block(string.Join('\n', items.Select(item => $"- {item}")));

    /// <summary>A table; the columns after the first so many are of numbers.</summary>
    public void Table(IReadOnlyList<string> columns, IEnumerable<IReadOnlyList<string>> rows, int texts = 1)
    {
        var lines = new List<string> { Row(columns), Row([.. columns.Select((_, column) => column < texts ? "---" : "---:")]) };
        lines.AddRange(rows.Select(Row));
        Block(string.Join('\n', lines));
    }

    public async Task ChartAsync(string file, string title, string svg)
    {
        await File.WriteAllTextAsync(Path.Combine(folder, file), svg);
        Block($"![{title}]({file})");
    }

    public Task SaveAsync() => File.WriteAllTextAsync(Path.Combine(folder, "report.md"), text.ToString());

    private static string Row(IReadOnlyList<string> cells) => $"| {string.Join(" | ", cells)} |";

    private void Block(string block) => text.Append(text.Length > 0 ? "\n" : "").Append(CultureInfo.InvariantCulture, $"{block}\n");
}
