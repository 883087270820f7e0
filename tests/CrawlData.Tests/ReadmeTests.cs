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
        var shown = Between(Resource("README.md"), "```csharp", "```")
            .Where(line => !line.StartsWith("using ", StringComparison.Ordinal) && !line.StartsWith("var connectionString ", StringComparison.Ordinal)).ToList();

        Assert.That(shown, Is.EqualTo(tested).And.Not.Empty);
    }

    [Test]
    public async Task The_README_s_further_lines_work()
    {
        await new SchemaMigrator(DataSource).MigrateAsync();
        var runs = new CrawlRunRepository(DataSource);
        var events = new CrawlEventRepository(DataSource);
        var run = await runs.CreateAsync(new NewCrawlRun { AppPackage = "org.example.app", Status = CrawlStatus.Running });
        var step = new NewCrawlEvent { EventType = "step", Payload = Jsonb.Parse("{}") };

        await FurtherAsync(DataSource, runs, events, run, step, step, step, step with { EventType = "last" }, "a\0b");

        Assert.That((await runs.GetAsync(run.Id))!.Status, Is.EqualTo(CrawlStatus.Completed));
        Assert.That((await events.ListAsync(run.Id)).Select(stored => stored.EventType), Is.EqualTo(new[] { "step", "step", "step", "last" }));
    }

    [Test]
    public void The_README_s_further_lines_are_those_that_are_tested()
    {
        var tested = Between(Resource("ReadmeTests.cs"), "// README" + " goes on", "// README" + " pauses");

        Assert.That(Between(Resource("README.md"), "```csharp", "```", skip: 1), Is.EqualTo(tested).And.Not.Empty);
    }

    private static async Task FurtherAsync(
        NpgsqlDataSource dataSource,
        CrawlRunRepository runs,
        CrawlEventRepository events,
        CrawlRun run,
        NewCrawlEvent first,
        NewCrawlEvent second,
        NewCrawlEvent third,
        NewCrawlEvent last,
        string text)
    {
        // README goes on
        // Many events in one call: all or none, the ids in their order. Much faster than one by one.
        var ids = await events.AppendAsync(run.Id, [first, second, third]);

        // Several steps as one: every method of the repositories but StreamAsync takes your transaction.
        await using var connection = await dataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await events.AppendAsync(run.Id, last, transaction);
        (await runs.CompleteAsync(run.Id, transaction)).EnsureApplied();
        await transaction.CommitAsync();

        // Follow a crawl: remember the last id. Ask for the status before the events, so that none is left when it is terminal.
        for (long? after = null; ;)
        {
            var terminal = (await runs.GetAsync(run.Id))?.Status is not (CrawlStatus.Pending or CrawlStatus.Running);
            var page = await events.ListAsync(run.Id, new CrawlEventQuery { AfterId = after, Limit = 1_000 });
            after = page.Count > 0 ? page[^1].Id : after;
            if (page.Count == 0 && terminal)
            {
                break;
            }

            await Task.Delay(page.Count > 0 ? TimeSpan.Zero : TimeSpan.FromMilliseconds(200));
        }

        // Pages of runs, newest first; NextCursor is null on the last.
        string? cursor = null;
        do
        {
            var page = await runs.ListAsync(new CrawlRunFilter { Statuses = [CrawlStatus.Completed, CrawlStatus.Failed] }, pageSize: 50, cursor);
            cursor = page.NextCursor;
        }
        while (cursor is not null);

        // Text as it was crawled, with U+FFFD for what PostgreSQL cannot store.
        var payload = Jsonb.From(new { text }, options: new JsonbOptions { Repair = true });
        // README pauses
        Assert.That(ids, Has.Count.EqualTo(3));
        Assert.That(payload, Is.EqualTo(Jsonb.Parse("{\"text\": \"a\ufffdb\"}")));
    }

    private static async Task RunAsync(string connectionString)
    {
        // README begins
        await using var dataSource = NpgsqlDataSource.Create(connectionString);
        await new SchemaMigrator(dataSource).MigrateAsync();
        var runs = new CrawlRunRepository(dataSource);
        var events = new CrawlEventRepository(dataSource);

        var run = await runs.CreateAsync(new NewCrawlRun { AppPackage = "org.example.app", Goal = "Visit every screen once" });
        (await runs.StartAsync(run.Id)).EnsureApplied();
        await events.AppendAsync(run.Id, new NewCrawlEvent
        {
            EventType = "step.navigated",
            Payload = Jsonb.From(new { step = 1, url = "https://example.org/" }),
        });
        (await runs.CompleteAsync(run.Id)).EnsureApplied();

        await foreach (var crawlEvent in events.StreamAsync(run.Id))
        {
            Console.WriteLine($"{crawlEvent.Id} {crawlEvent.EventType} {crawlEvent.Payload}");
        }
        // README ends
    }

    private static List<string> Between(string text, string start, string end, int skip = 0)
    {
        var lines = text.Split('\n').Select(line => line.Trim());
        for (var block = 0; block <= skip; block++)
        {
            lines = lines.SkipWhile(line => line != start).Skip(1);
        }

        return lines.TakeWhile(line => line != end).Where(line => line.Length > 0).ToList();
    }

    private static string Resource(string name)
    {
        using var reader = new StreamReader(typeof(ReadmeTests).Assembly.GetManifestResourceStream(name)!);
        return reader.ReadToEnd();
    }
}
