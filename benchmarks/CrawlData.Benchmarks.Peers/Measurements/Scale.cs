using System.Diagnostics;
using CrawlData.Crawls;
using CrawlData.Diagnostics;
using CrawlData.Testing;

namespace CrawlData.Benchmarks.Peers.Measurements;

/// <summary>Measures what users do every day on a small and on a large table, which has more crawls, not larger ones.</summary>
internal sealed class Scale : IAsyncDisposable
{
    private const int Rounds = 40;
    private const int CrawlsOfSmaller = 100;

    private readonly ThrowawayDatabase database;
    private readonly CrawlEventRepository events;
    private readonly CrawlRunRepository runs;
    private readonly IReadOnlyList<Guid> crawls;
    private readonly int eventsPerCrawl;

    /// <summary>The crawls from the end are deleted, one in each round.</summary>
    private int deleted;

    private Scale(ThrowawayDatabase database, IReadOnlyList<Guid> crawls, int eventsPerCrawl)
    {
        (this.database, this.crawls, this.eventsPerCrawl) = (database, crawls, eventsPerCrawl);
        (events, runs) = (new CrawlEventRepository(database.DataSource), new CrawlRunRepository(database.DataSource));
    }

    /// <summary>Generates both tables, and measures the operations on them in turns.</summary>
    /// <param name="scale">The number of events of a crawl.</param>
    /// <param name="larger">The number of events in the larger table.</param>
    /// <param name="progress">Receives a line for each part.</param>
    public static async Task<ScaleResult> RunAsync(BenchmarkScale scale, long larger, Action<string> progress)
    {
        var smaller = (long)CrawlsOfSmaller * scale.EventsPerCrawl;
        var parts = new List<(string Part, TimeSpan Time)>();
        await using var one = await GenerateAsync(smaller);
        await using var other = await GenerateAsync(larger);
        var rows = new List<ScaleRow>();
        foreach (var ((operation, smallerWork), (_, largerWork)) in (await one.OperationsAsync()).Zip(await other.OperationsAsync()))
        {
            progress(operation);
            var measured = await TimedAsync($"measuring: {operation}", () => new InterleavedRounds()
                .Add("smaller", smallerWork)
                .Add("larger", largerWork)
                .RunAsync(Rounds));
            rows.Add(new ScaleRow { Operation = operation, Smaller = measured[0], Larger = measured[1] });
        }

        await using var size = other.database.DataSource.CreateCommand("select pg_total_relation_size('crawl_events')");
        return new ScaleResult { Smaller = smaller, Larger = larger, Rows = rows, Parts = parts, Bytes = (long)(await size.ExecuteScalarAsync())! };

        async Task<T> TimedAsync<T>(string part, Func<Task<T>> work)
        {
            var watch = Stopwatch.StartNew();
            var result = await work();
            parts.Add((part, watch.Elapsed));
            return result;
        }

        Task<Scale> GenerateAsync(long count) => TimedAsync($"generating {count:N0} events", async () =>
        {
            var database = await ThrowawayDatabase.StartAsync();
            var crawls = await Seed.InsertCrawlsAsync(database.DataSource, (int)(count / scale.EventsPerCrawl));
            var generated = 0L;
            foreach (var concurrent in crawls.Chunk(scale.Crawls))
            {
                await Seed.GenerateEventsAsync(database.DataSource, concurrent, scale.EventsPerCrawl, Seed.WriterBatchPerCrawl);
                generated += (long)concurrent.Length * scale.EventsPerCrawl;
                progress($"generated {generated:N0} of {count:N0} events");
            }

            return new Scale(database, crawls, scale.EventsPerCrawl);
        });
    }

    public async ValueTask DisposeAsync() => await database.DisposeAsync();

    private async Task<IReadOnlyList<(string Operation, Func<Task> Work)>> OperationsAsync()
    {
        var crawl = crawls[crawls.Count / 2];
        var middle = (await events.ListAsync(crawl, pageSize: eventsPerCrawl / 2)).NextCursor;
        var appended = SampleData.MakeEvents(1_000);
        var status = new DatabaseStatusReader(database.DataSource);
        var random = new Random(1);
        return
        [
            ($"read a crawl's {eventsPerCrawl:N0} events, always the same crawl", () => ReadAsync(crawl)),
            ("the same, each time another crawl", () => ReadAsync(crawls[random.Next(crawls.Count / 2)])),
            ("20 times a page of 200 in the middle of a crawl", () => RepeatAsync(20, () => events.ListAsync(crawl, pageSize: 200, cursor: middle))),
            ("50 times a crawl's last event", () => RepeatAsync(50, () => events.GetLastAsync(crawl))),
            ("append 1,000 events", () => events.AppendAsync(crawl, appended)),
            (
                "20 times the feed of all crawls: find the newest event, and look for later ones",
                () => RepeatAsync(20, async () => await events.ListAllAsync(await events.GetNewestCursorAsync()))),
            ("10 times status", () => RepeatAsync(10, () => status.ReadAsync())),
            ("50 times a page of 50 runs", () => RepeatAsync(50, () => runs.ListAsync(pageSize: 50))),
            ($"delete a crawl with its {eventsPerCrawl:N0} events", () => runs.DeleteAsync(crawls[^++deleted])),
        ];
    }

    /// <summary>Repeats what is too short to be timed once.</summary>
    private static async Task RepeatAsync(int times, Func<Task> work)
    {
        for (var time = 0; time < times; time++)
        {
            await work();
        }
    }

    private async Task ReadAsync(Guid crawl) =>
        RowCount.Require(eventsPerCrawl, (await events.ListAsync(crawl, pageSize: eventsPerCrawl)).Items.Count);
}
