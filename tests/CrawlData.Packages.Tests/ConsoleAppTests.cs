using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Testing;
using CrawlData.Tests.Documentation;

namespace CrawlData.Packages.Tests;

public sealed class ConsoleAppTests
{
    [Test]
    public async Task The_pages_snippets_run_in_a_fresh_console_app()
    {
        var (quickStart, throwaway) = (Split("quickstart"), Split("throwaway"));
        string[] further = ["append-many", "writer", "transaction", "follow", "all-crawls", "pages", "repair"];
        await using var database = await ThrowawayDatabase.StartAsync(new ThrowawayDatabaseOptions { Migrate = false });
        var project = await Packed.CreateProjectAsync("console", "CrawlData", "CrawlData.Testing");
        await File.WriteAllTextAsync(Path.Combine(project, "Program.cs"), $"""
            {Snippets.All["quickstart"]}

            await Shown.FurtherAsync(dataSource, runs, events);
            await Shown.AuditAsync(dataSource);
            await Shown.ThrowawayAsync();
            """);
        await File.WriteAllTextAsync(Path.Combine(project, "Shown.cs"), $$"""
            {{string.Join('\n', quickStart.Usings.Union(throwaway.Usings))}}
            using CrawlData.Audits;

            static class Shown
            {
                public static async Task FurtherAsync(NpgsqlDataSource dataSource, CrawlRunRepository runs, CrawlEventRepository events)
                {
                    var run = await runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app", Status = CrawlStatus.Running });
                    var step = new NewCrawlEvent { EventType = "step", Payload = Jsonb.Parse("{}") };
                    var (first, second, third, last, text) = (step, step, step, step with { EventType = "last" }, "a\0b");
                    {{string.Join('\n', further.Select(name => Snippets.All[name]))}}
                    Console.WriteLine($"{ids.Count} {batch.Events.Count} {next.Events.Count} {ended.Count} {payload}");
                }

                public static async Task AuditAsync(NpgsqlDataSource dataSource)
                {
                    var sessions = new AuditSessionRepository(dataSource);
                    {{Snippets.All["audit"]}}
                }

                public static async Task ThrowawayAsync()
                {
                    {{throwaway.Statements}}
                    Console.WriteLine($"{(await runs.ListAsync()).Items.Count} runs");
                }
            }
            """);

        await Command.RunAsync(project, Command.DotNet, "build", "-warnaserror");
        var output = await Command.RunAsync(project, Command.DotNet, "run", "--no-build", "--", database.ConnectionString);

        Assert.That(output, Does.StartWith(
            """
            1 step.navigated {"url": "https://example.org/", "step": 1}
            step
            last
            3 8 0 2 {"text":"a\uFFFDb"}
            0 runs

            """));
        Assert.That((await new CrawlRunRepository(database.DataSource).CountByStatusAsync())[CrawlStatus.Completed], Is.EqualTo(2));
        Assert.That((await new AuditSessionRepository(database.DataSource).ListAsync()).Items.Single().Status, Is.EqualTo(AuditSessionStatus.Queued));
    }

    /// <summary>Returns a snippet's using directives, and the rest.</summary>
    private static (IEnumerable<string> Usings, string Statements) Split(string name)
    {
        var lines = Snippets.All[name].Split('\n').ToLookup(line => line.StartsWith("using ", StringComparison.Ordinal) && !line.Contains('='));
        return (lines[true], string.Join('\n', lines[false]));
    }
}
