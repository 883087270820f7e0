using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Testing;

namespace CrawlData.Packages.Tests;

public sealed class ConsoleAppTests
{
    [Test]
    public async Task The_README_s_snippets_run_in_a_fresh_console_app()
    {
        var shown = Readme.CSharpUnder("Twenty lines");
        var further = Readme.Split(shown[1]);
        var audit = Readme.Split(shown[2]);
        var testing = Readme.Split(Readme.CSharpUnder("Your tests").Single());
        await using var database = await ThrowawayDatabase.StartAsync(new ThrowawayDatabaseOptions { Migrate = false });
        var project = await Packed.CreateProjectAsync("console", "CrawlData", "CrawlData.Testing");
        await File.WriteAllTextAsync(Path.Combine(project, "Program.cs"), $"""
            {WithConnection(shown[0])}

            await Shown.FurtherAsync(dataSource, runs, events);
            await Shown.AuditAsync(dataSource);
            await Shown.TestingAsync();
            """);
        await File.WriteAllTextAsync(Path.Combine(project, "Shown.cs"), $$"""
            {{Readme.Split(shown[0]).Usings}}
            {{audit.Usings}}
            {{testing.Usings}}

            static class Shown
            {
                public static async Task FurtherAsync(NpgsqlDataSource dataSource, CrawlRunRepository runs, CrawlEventRepository events)
                {
                    var run = await runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app", Status = CrawlStatus.Running });
                    var step = new NewCrawlEvent { EventType = "step", Payload = Jsonb.Parse("{}") };
                    var (first, second, third, last, text) = (step, step, step, step with { EventType = "last" }, "a\0b");
                    {{further.Statements}}
                    Console.WriteLine($"{ids.Count} {batch.Events.Count} {payload}");
                }

                public static async Task AuditAsync(NpgsqlDataSource dataSource)
                {
                    {{audit.Statements}}
                }

                public static async Task TestingAsync()
                {
                    {{testing.Statements}}
                    Console.WriteLine($"{(await runs.ListAsync()).Items.Count} runs");
                }
            }
            """);

        await Command.RunAsync(project, Command.DotNet, "build", "-warnaserror");
        var output = await Command.RunAsync(
            project, new Dictionary<string, string?> { ["CRAWLDATA_CONNECTION"] = database.ConnectionString }, Command.DotNet, "run", "--no-build");

        Assert.That(output, Does.StartWith(
            """
            1 step.navigated {"url": "https://example.org/", "step": 1}
            step
            last
            3 8 {"text":"a\uFFFDb"}
            0 runs

            """));
        Assert.That((await new CrawlRunRepository(database.DataSource).CountByStatusAsync())[CrawlStatus.Completed], Is.EqualTo(2));
        Assert.That((await new AuditSessionRepository(database.DataSource).ListAsync()).Items.Single().Status, Is.EqualTo(AuditSessionStatus.Completed));
    }

    private static string WithConnection(string program)
    {
        var lines = program.Split('\n');
        lines[Array.FindIndex(lines, line => line.StartsWith("var connectionString = ", StringComparison.Ordinal))] =
            """var connectionString = Environment.GetEnvironmentVariable("CRAWLDATA_CONNECTION")!;""";
        return string.Join('\n', lines);
    }
}
