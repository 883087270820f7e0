namespace CrawlData.Tests.Cli;

public sealed class DemoCommandTests : ToolTest
{
    [Test]
    public async Task Without_a_connection_it_starts_a_throwaway_server()
    {
        var result = await Tool.RunAsync(null, "demo");

        AssertDone(result);
        string[] expected =
        [
            "Server: PostgreSQL ",
            "1 run, 12,081 events",
            "10,000 events, the first after ",
            "element.found",
            "25 sessions, 1,025 rows in all",
            "screenshot",
            "CRAWLDATA_CONNECTION",
            "  crawldata demo",
        ];
        Assert.That(expected.Where(text => !result.Output.Contains(text, StringComparison.Ordinal)), Is.Empty);
        Assert.That(result.Output, Has.None.EqualTo('\u001b'));
    }

    [Test]
    public async Task With_a_connection_the_imported_crawl_stays_in_the_database()
    {
        var file = TemporaryFile("crawl.ndjson");
        var recorded = Guid.NewGuid();
        await File.WriteAllLinesAsync(file,
        [
            $$$"""{"table":"crawl_runs","row":{"id":"{{{recorded}}}","app_package":"org.example.app","status":"COMPLETED"}}""",
            $$$$"""{"table":"crawl_events","row":{"crawl_id":"{{{{recorded}}}}","event_type":"only","payload":{}}}""",
        ]);

        var result = await RunAsync("demo", file, "--yes");

        AssertDone(result);
        var command = result.Output.TrimEnd().Split('\n')[^1].Trim();
        Assert.That(command, Does.StartWith("crawldata events "));
        var crawlId = Guid.Parse(command.Split(' ')[^1]);
        Assert.That(crawlId, Is.Not.EqualTo(recorded));
        Assert.That((await Events.StreamAsync(crawlId).ToListAsync()).Select(stored => stored.EventType), Is.EqualTo(["only"]));
    }

    [Test]
    public async Task It_writes_into_a_named_database_only_when_that_is_agreed()
    {
        var result = await RunAsync("demo", "--yes=false");

        Assert.That(result.ExitCode, Is.EqualTo(2));
        Assert.That(
            result.Error.TrimEnd(), Is.EqualTo("crawldata: the demo wrote nothing: agree with --yes, or give no connection for a throwaway database."));
    }

    [Test]
    public async Task In_a_clone_it_names_commands_that_need_no_installed_tool()
    {
        var file = TemporaryFile("crawl.ndjson");
        await File.WriteAllTextAsync(file, """{"table":"crawl_runs","row":{"app_package":"org.example.app","status":"COMPLETED"}}""");

        using var process = Tool.StartAsDotNetRun(Database.ConnectionString, "demo", file, "--yes");
        var output = await process.StandardOutput.ReadToEndAsync();

        Assert.That(await Tool.WaitAsync(process), Is.Zero);
        Assert.That(output, Does.Contain("\n  dotnet run --project src/CrawlData.Cli -- events "));
    }
}
