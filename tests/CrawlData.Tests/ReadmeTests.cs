using CrawlData.Crawls;
using CrawlData.Schema;
using CrawlData.Tests.Schema;
using Npgsql;

namespace CrawlData.Tests;

public sealed class ReadmeTests : MigratorTest
{
    [Test]
    public async Task The_README_s_twenty_lines_work()
    {
        await RunAsync(Database.ConnectionString);

        var run = (await new CrawlRunRepository(DataSource).ListAsync()).Items.Single();
        Assert.That(run.Status, Is.EqualTo(CrawlStatus.Completed));
        Assert.That(await new CrawlEventRepository(DataSource).CountAsync(run.Id), Is.EqualTo(1));
    }

    [Test]
    public void The_README_s_twenty_lines_are_those_that_are_tested()
    {
        var tested = Between(Resource("ReadmeTests.cs"), "// README" + " begins", "// README" + " ends");
        var shown = Between(Resource("README.md"), "```csharp", "```").Where(line => !line.StartsWith("using ", StringComparison.Ordinal)).ToList();

        Assert.That(shown, Is.EqualTo(tested).And.Not.Empty);
    }

    private static async Task RunAsync(string connectionString)
    {
        // README begins
        await using var dataSource = NpgsqlDataSource.Create(connectionString);
        await new SchemaMigrator(dataSource).MigrateAsync();
        var runs = new CrawlRunRepository(dataSource);
        var events = new CrawlEventRepository(dataSource);

        var run = await runs.CreateAsync(new NewCrawlRun { AppPackage = "org.example.app", Goal = "Visit every screen once" });
        await runs.StartAsync(run.Id);
        await events.AppendAsync(run.Id, new NewCrawlEvent
        {
            EventType = "step.navigated",
            Payload = Jsonb.From(new { step = 1, url = "https://example.org/" }),
        });
        await runs.CompleteAsync(run.Id);

        await foreach (var crawlEvent in events.StreamAsync(run.Id))
        {
            Console.WriteLine($"{crawlEvent.Id} {crawlEvent.EventType} {crawlEvent.Payload}");
        }
        // README ends
    }

    private static List<string> Between(string text, string start, string end) =>
        text.Split('\n').Select(line => line.Trim()).SkipWhile(line => line != start).Skip(1).TakeWhile(line => line != end).Where(line => line.Length > 0).ToList();

    private static string Resource(string name)
    {
        using var reader = new StreamReader(typeof(ReadmeTests).Assembly.GetManifestResourceStream(name)!);
        return reader.ReadToEnd();
    }
}
