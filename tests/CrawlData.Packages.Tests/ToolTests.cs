using System.Text.RegularExpressions;
using CrawlData.Crawls;
using CrawlData.Testing;
using CrawlData.Tests.Documentation;

namespace CrawlData.Packages.Tests;

public sealed partial class ToolTests
{
    private static string Folder => Path.Combine(Packed.Consumers, "tools");

    [OneTimeSetUp]
    public async Task InstallAsync() =>
        await Command.RunAsync(Packed.Consumers, Command.DotNet, "tool", "install", "CrawlData.Cli", "--version", Packed.Version, "--tool-path", Folder);

    [Test]
    public async Task The_installed_tool_says_its_version_and_what_it_does()
    {
        Assert.That(await RunAsync(null, "--version"), Does.StartWith(Packed.Version));
        Assert.That(await RunAsync(null, "--help"), Does.Contain("crawldata [command]").And.Contain("migrate").And.Contain("demo"));
    }

    [Test]
    public async Task The_installed_tool_migrates_a_database_and_shows_what_is_in_it()
    {
        await using var database = await ThrowawayDatabase.StartAsync(new ThrowawayDatabaseOptions { Migrate = false });

        Assert.That(await RunAsync(database, "migrate"), Does.Contain("001_crawl_schema.sql"));
        var run = await new CrawlRunRepository(database.DataSource).InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" });
        await new CrawlEventRepository(database.DataSource).AppendAsync(
            run.Id, new NewCrawlEvent { EventType = "step.navigated", Payload = Jsonb.Parse("{}") });
        Assert.That(await RunAsync(database, "runs"), Does.Contain(run.Id.ToString()));
        Assert.That(await RunAsync(database, "events", run.Id.ToString()), Does.Contain("step.navigated"));
    }

    [Test]
    public async Task The_installed_tool_s_demo_runs() =>
        Assert.That(await RunAsync(null, "demo"), Does.Match("import +1 run, 12,081 events").And.Contain("  crawldata runs"));

    [Test]
    [Platform("Linux", Reason = "The tool is found as a program called crawldata.")]
    public async Task The_recipe_in_Python_makes_fills_and_ends_its_run()
    {
        await using var database = await ThrowawayDatabase.StartAsync();
        var (runs, events) = (new CrawlRunRepository(database.DataSource), new CrawlEventRepository(database.DataSource));
        var recipe = Python().Match(await File.ReadAllTextAsync(Path.Combine(Snippets.Root, "docs", "recipes.md"))).Groups["code"].Value;
        var script = Path.Combine(Packed.Consumers, "crawler.py");
        await File.WriteAllTextAsync(script, recipe);
        var page = new Uri(Path.Combine(Packed.Consumers, "page.html")).AbsoluteUri;
        await File.WriteAllTextAsync(Path.Combine(Packed.Consumers, "page.html"), "<p>é 😀 \0</p>");

        var (completed, text) = await CrawlAsync(page, page);
        Assert.That(completed, Is.Zero, text);
        var run = (await runs.ListAsync()).Items.Single();
        Assert.That(run.Status, Is.EqualTo(CrawlStatus.Completed));
        Assert.That(
            (await events.StreamAsync(run.Id).ToListAsync()).Select(stored => (stored.EventType, stored.Payload)),
            Is.EqualTo(Enumerable.Repeat(("page.opened", Jsonb.From(new { url = page, text = "<p>é 😀 \ufffd</p>" })), 2)));

        (completed, text) = await CrawlAsync(page, page + ".missing", page);
        Assert.That(completed, Is.EqualTo(1), text);
        run = (await runs.ListAsync()).Items[0];
        Assert.That((run.Status, run.ErrorMessage), Is.EqualTo((CrawlStatus.Failed, text.TrimEnd().Split('\n')[^1].Replace("urllib.error.", ""))));
        Assert.That(await events.CountAsync(run.Id), Is.EqualTo(1));

        Task<(int ExitCode, string Output)> CrawlAsync(params string[] urls) =>
            Command.TryAsync(Packed.Consumers, Environment(database), "python3", [script, .. urls]);
    }

    /// <summary>The keys that a user types, with the tabulator, into bash on a terminal.</summary>
    [Test]
    [Platform("Linux", Reason = "The program script makes the terminal.")]
    public async Task Bash_completes_subcommands_and_values()
    {
        var keys = Path.Combine(Packed.Consumers, "keys");
        await File.WriteAllTextAsync(
            keys,
            """
            source <(crawldata completion bash)
            crawldata session requ\t--help
            crawldata runs --status CANC\t--help
            exit

            """.Replace("\\t", "\t"));

        var screen = await Command.RunAsync(
            Packed.Consumers, Environment(null), "bash", "-c", $"script -qec 'stty cols 200; bash --norc --noprofile -i' /dev/null < '{keys}'");

        Assert.That(screen, Does.Contain("crawldata session requeue <SESSION>").And.Contain("ELLED --help"));
    }

    private static Dictionary<string, string?> Environment(ThrowawayDatabase? database) => new()
    {
        ["CRAWLDATA_CONNECTION"] = database?.ConnectionString,
        ["PATH"] = $"{Folder}:{System.Environment.GetEnvironmentVariable("PATH")}",
    };

    [GeneratedRegex("^```python\n(?<code>.*?)^```$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Python();

    private static Task<string> RunAsync(ThrowawayDatabase? database, params string[] arguments) =>
        Command.RunAsync(
            Packed.Consumers, new Dictionary<string, string?> { ["CRAWLDATA_CONNECTION"] = database?.ConnectionString },
            Path.Combine(Folder, "crawldata"), arguments);
}
