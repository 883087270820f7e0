// snippet: quickstart
using CrawlData;
using CrawlData.Crawls;
using CrawlData.Schema;
using Npgsql;
// end snippet

namespace Examples;

internal static class QuickStart
{
    public static async Task RunAsync(string[] args)
    {
        // snippet: quickstart
        await using var dataSource = NpgsqlDataSource.Create(args[0]);
        await new SchemaMigrator(dataSource).MigrateAsync();
        var runs = new CrawlRunRepository(dataSource);
        var events = new CrawlEventRepository(dataSource);

        var run = await runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app", Goal = "Visit every screen once" });
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
        // end snippet
    }
}
