using CrawlData.Crawls;
using CrawlData.Testing;

namespace CrawlData.Packages.Tests;

public sealed class ToolTests
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

    private static Task<string> RunAsync(ThrowawayDatabase? database, params string[] arguments) =>
        Command.RunAsync(
            Packed.Consumers, new Dictionary<string, string?> { ["CRAWLDATA_CONNECTION"] = database?.ConnectionString },
            Path.Combine(Folder, "crawldata"), arguments);
}
