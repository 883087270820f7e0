using CrawlData.Crawls;
using Npgsql;

namespace CrawlData.Tests.Crawls;

/// <summary>Counts what an append allocates, in a process of its own.</summary>
internal static class AppendAllocationScenario
{
    public const string Argument = "append";

    /// <summary>Writes the number of bytes that an append allocates to standard output.</summary>
    public static async Task RunAsync(string connectionString, int count)
    {
        await using var dataSource = NpgsqlDataSource.Create(connectionString);
        var crawl = (await new CrawlRunRepository(dataSource).InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" })).Id;
        var events = new CrawlEventRepository(dataSource);
        var batch = Enumerable.Range(1, count)
            .Select(number => new NewCrawlEvent { EventType = "step", Payload = Jsonb.Parse($$"""{"n":{{number}}}""") })
            .ToArray();

        // The least of several rounds: a round may also hold what the runtime allocates once.
        var bytes = long.MaxValue;
        for (var round = 0; round < 10; round++)
        {
            var before = GC.GetTotalAllocatedBytes(precise: true);
            for (var call = 0; call < 20; call++)
            {
                await (count == 1 ? events.AppendAsync(crawl, batch[0]) : (Task)events.AppendAsync(crawl, batch));
            }

            bytes = Math.Min(bytes, (GC.GetTotalAllocatedBytes(precise: true) - before) / 20);
        }

        await Console.Out.WriteAsync($"{bytes}");
    }
}
