using CrawlData.Cli;

namespace CrawlData.Tests.Cli;

/// <summary>The layout of tables at any width. What is in a cell is in the lines.</summary>
public sealed class TextTableTests
{
    private static readonly string Url = $"https://example.org/{new string('x', 40)}";

    [Test]
    public void A_text_stands_beside_the_other_cells_where_it_fits_and_below_them_where_it_does_not()
    {
        var table = Runs();

        Assert.That(Lines(table, 60), Is.EqualTo(
            """
            id      status     app
            2026-11-23 UTC
            019ac5  COMPLETED  org.example
            019ac6  FAILED
              https://example.org/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
              xx
              error: no route
            2026-11-24 UTC
            019ac7  RUNNING    org.example
            """));
        Assert.That(Lines(table, 100), Does.Contain($"019ac6  FAILED     {Url}\n  error: no route\n"));
    }

    [Test]
    public void No_width_loses_a_character([Range(20, 120, 10)] int width)
    {
        var lines = Lines(Runs(), width).Replace("\n", "").Replace(" ", "");

        string[] texts = ["019ac5", "COMPLETED", "org.example", "019ac6", "FAILED", Url, "error:noroute", "019ac7", "RUNNING"];
        Assert.That(texts.Where(text => !lines.Contains(text)), Is.Empty);
    }

    [Test]
    public void A_rest_follows_its_text_or_stands_below_it()
    {
        var table = new TextTable("message", "level", "message");
        table.AddCellsAndRest("""{"url": "https://example.org/"}""", "info", "opened");

        Assert.That(Lines(table, 60), Does.EndWith("""info   opened {"url": "https://example.org/"}"""));
        Assert.That(Lines(table, 40), Does.EndWith("info   opened\n  {\"url\": \"https://example.org/\"}"));
    }

    [Test]
    public void A_very_long_text_is_cut_with_its_length_and_wide_characters_are_measured()
    {
        var table = new TextTable("text", "id", "text");
        table.AddCells("1", new string('y', 10_000));
        table.AddCells("2", string.Concat(Enumerable.Repeat("\u65e5", 30)));

        var lines = Lines(table, 40).Split('\n');

        Assert.That(lines.Count(line => line.Contains('y')), Is.EqualTo(4));
        Assert.That(lines, Has.One.EndsWith("\u2026 10,000 characters in all"));
        Assert.That(lines[^2..].Select(line => line.Length), Is.EqualTo([2 + 19, 2 + 11]), "a wide character has two columns");
    }

    private static TextTable Runs()
    {
        var table = new TextTable("app", "id", "status", "app");
        var noon = new DateTimeOffset(2026, 11, 23, 12, 0, 0, TimeSpan.Zero);
        table.AddDate(noon);
        table.AddCells("019ac5", "COMPLETED", "org.example");
        table.AddDate(noon.AddHours(13).ToOffset(TimeSpan.FromHours(-9)).AddHours(-2));
        table.AddCells(["019ac6", "FAILED", Url], null, "error: no route");
        table.AddDate(noon.AddDays(1));
        table.AddCells("019ac7", "RUNNING", "org.example");
        return table;
    }

    private static string Lines(TextTable table, int width) => string.Join('\n', table.ToLines(width).Select(line => line.Text));
}
