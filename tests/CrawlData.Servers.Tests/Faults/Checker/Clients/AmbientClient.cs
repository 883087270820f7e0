using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Retention;

namespace CrawlData.Tests.Faults.Checker;

/// <summary>Works inside ambient transactions. Its writes must be refused there, and its reads must see what it appended outside of them.</summary>
internal sealed class AmbientClient(Workload workload, int number, CrawlEventWriter writer, int writerNumber) : Client(workload, number)
{
    private const int LongestScope = 5;

    private readonly CrawlEventRepository events = workload.Events(number);
    private readonly CrawlRunRepository runs = new(workload.DataSource);
    private readonly AuditSessionQueue queue = new(workload.DataSource);
    private readonly RetentionPurger purger = new(workload.DataSource);

    protected override async Task StepAsync()
    {
        var crawl = Any(Workload.Crawls);
        using var ambient = Ambient.Begin();
        for (var count = Random.Next(1, LongestScope); count > 0; count--)
        {
            using (Ambient.Suppress())
            {
                await AppendAsync(crawl);
            }

            await ReadAsync(crawl);
            await WriteAsync(crawl);
        }

        await ThinkAsync(20);
    }

    private async Task AppendAsync(Guid crawl)
    {
        var key = NextKey();
        Workload.Added(1);
        var append = new AppendOperation(Number, "append one", [(crawl, key)]) { MustSucceed = true };
        await History.RunAsync(append, async () => append.Ids = [await events.AppendAsync(crawl, Event(key))]);
    }

    private async Task ReadAsync(Guid crawl)
    {
        var read = new AmbientReadOperation(Number, crawl);
        var streams = OneIn(2);
        await History.RunAsync(read, async () =>
        {
            var listed = streams ? events.StreamAsync(crawl) : PagesAsync(crawl);
            read.Keys = await listed.Select(one => KeyOf(one.Payload)).Where(key => key.Client == Number).ToHashSetAsync();
        });
    }

    private async IAsyncEnumerable<CrawlEvent> PagesAsync(Guid crawl)
    {
        string? cursor = null;
        do
        {
            var page = await events.ListAsync(crawl, cursor: cursor);
            foreach (var one in page.Items)
            {
                yield return one;
            }

            cursor = page.NextCursor;
        }
        while (cursor is not null);
    }

    private async Task WriteAsync(Guid crawl)
    {
        var rows = Enumerable.Range(0, OneIn(20) ? 1_000 : Random.Next(1, 4)).Select(_ => (crawl, Key: NextKey())).ToList();
        var append = new AppendOperation(Number, $"append {rows.Count} in an ambient transaction", rows) { IsAmbientWrite = true };
        var id = Guid.NewGuid();
        switch (Random.Next(7))
        {
            case 0 or 1:
                await History.RunAsync(append, async () => append.Ids = await events.AppendAsync(crawl, rows.Select(row => Event(row.Key))));
                break;
            case 2:
                await History.RunAsync(append, () => events.AppendStreamAsync(crawl, rows.ToAsyncEnumerable().Select(row => Event(row.Key))));
                break;
            case 3:
                var write = new WriteOperation(Number, writerNumber, crawl, rows[0].Key) { IsAmbientWrite = true };
                await History.RunAsync(write, () => writer.WriteAsync(crawl, Event(rows[0].Key)));
                break;
            case 4:
                var insert = new InsertOperation(Number, "crawl_runs", [id]) { IsAmbientWrite = true };
                await History.RunAsync(insert, () => runs.InsertAsync(new NewCrawlRun { Id = id, AppPackage = "org.example.app" }));
                break;
            case 5:
                await History.RunAsync(new ClaimOperation(Number) { IsAmbientWrite = true }, () => queue.ClaimNextAsync());
                break;
            default:
                var purge = new PurgeOperation(Number, "crawl_runs", TimeSpan.FromDays(1)) { IsAmbientWrite = true };
                await History.RunAsync(purge, () => purger.PurgeCrawlsAsync(purge.Age));
                break;
        }
    }
}
