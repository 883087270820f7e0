using System.Globalization;
using System.Text.RegularExpressions;
using CrawlData.Crawls;
using CrawlData.Testing;

namespace CrawlData.Tests.Cli;

/// <summary>What the tool writes on a terminal, and what it writes into a pipe.</summary>
[Platform("Linux", Reason = "The program script makes the terminal.")]
public sealed partial class TerminalOutputTests : ToolTest
{
    private const string Crawled = "a\u202eb\u009bc\u007fd\u200be";
    private const string Escaped = "a\\u202eb\\u009bc\\u007fd\\u200be";

    [Test]
    public async Task Crawled_text_is_escaped_on_a_terminal_and_unchanged_in_a_pipe()
    {
        var crawl = await CreateCrawlAsync();
        await Events.AppendAsync(crawl, new NewCrawlEvent { EventType = "title", Payload = Jsonb.From(Crawled) });

        var table = await Tool.RunOnTerminalAsync(Database.ConnectionString, "events", $"{crawl}");
        var json = await Tool.RunOnTerminalAsync(Database.ConnectionString, "events", $"{crawl}", "--json");
        var exported = await Tool.RunOnTerminalAsync(Database.ConnectionString, "export", $"{crawl}");
        var pipe = await RunAsync("events", $"{crawl}");

        foreach (var shown in new[] { table, json, exported })
        {
            Assert.That(shown, Does.Contain(Escaped));
            Assert.That(shown.Intersect("\u202e\u009b\u007f\u200b"), Is.Empty);
        }

        Assert.That(pipe.Output, Does.Contain(Crawled));
    }

    [Test]
    public async Task Log_lines_of_one_timestamp_are_paged_by_a_cursor()
    {
        var session = await EnqueueAsync();
        var time = new DateTimeOffset(2026, 11, 23, 12, 0, 0, TimeSpan.Zero);
        await Logs.AppendAsync(session, Enumerable.Range(0, 250).Select(number => Line(number, time)));
        var shown = new List<int>();
        string[] after = [];
        do
        {
            var table = await Tool.RunOnTerminalAsync(Database.ConnectionString, ["logs", $"{session}", .. after]);
            shown.AddRange(Number().Matches(table).Select(match => int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture)));
            after = Cursor().Match(table) is { Success: true } cursor ? ["--after", cursor.Groups[1].Value] : [];
        }
        while (after.Length > 0 && shown.Count < 1_000);

        Assert.That(shown, Is.EqualTo(Enumerable.Range(0, 250)));
    }

    /// <summary>The spinner would stand between what other programs of the pipeline write.</summary>
    [TestCase("", true)]
    [TestCase(" | cat", false)]
    [TestCase(" 2>&1 | cat", false)]
    public async Task Progress_is_shown_on_a_terminal_and_not_in_a_pipeline(string rest, bool isShown)
    {
        var shown = await Tool.RunOnTerminalAsync(Database.ConnectionString, "", rest, ["migrate"]);

        Assert.That(shown, isShown ? Does.Contain("Migrating").And.Contain("\u001b[") : Is.Empty);
    }

    [TestCase("n\n")]
    [TestCase("y\n")]
    public async Task A_demo_asks_before_it_writes_into_a_named_database(string answer)
    {
        await using var database = await ThrowawayDatabase.StartAsync(new ThrowawayDatabaseOptions { Migrate = false, Logger = TestLog.Instance });
        var file = TemporaryFile("crawl.ndjson");
        await File.WriteAllTextAsync(file, """{"table":"crawl_runs","row":{"app_package":"org.example.app","status":"COMPLETED"}}""");

        var shown = await Tool.RunOnTerminalAsync(database.ConnectionString, answer, "", ["demo", file]);

        Assert.That(shown, Does.Contain("Migrate this database, and leave the recordings in it? "));
        Assert.That(shown, Does.Contain(answer == "y\n" ? "The imported rows stay in the database." : "crawldata: the demo wrote nothing"));
        await using var tables = database.DataSource.CreateCommand("select to_regclass('crawl_runs') is not null");
        Assert.That(await tables.ExecuteScalarAsync(), Is.EqualTo(answer == "y\n"));
    }

    [GeneratedRegex(@"line (\d+)")]
    private static partial Regex Number();

    [GeneratedRegex(@"--after (\S+) shows the next")]
    private static partial Regex Cursor();
}
