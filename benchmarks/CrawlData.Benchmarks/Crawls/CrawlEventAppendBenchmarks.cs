using BenchmarkDotNet.Attributes;
using CrawlData.Crawls;
using NpgsqlTypes;

namespace CrawlData.Benchmarks.Crawls;

/// <summary>Events appended and committed with their ids back, beside binary COPY without ids.</summary>
public class CrawlEventAppendBenchmarks : DatabaseBenchmark
{
    private NewCrawlEvent[] events = [];

    [Params(1, 100, 1_000, 10_000)]
    public int Count { get; set; }

    public override async Task SetUpAsync()
    {
        await base.SetUpAsync();
        events = MakeEvents(Count);
    }

    [Benchmark(Baseline = true, Description = "COPY without ids")]
    public async Task ByCopyAsync()
    {
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var importer = await connection.BeginBinaryImportAsync("copy crawl_events (crawl_id, event_type, payload) from stdin (format binary)");
        foreach (var crawlEvent in events)
        {
            await importer.StartRowAsync();
            await importer.WriteAsync(Crawl, NpgsqlDbType.Uuid);
            await importer.WriteAsync(crawlEvent.EventType, NpgsqlDbType.Varchar);
            await importer.WriteAsync(crawlEvent.Payload.Utf8, NpgsqlDbType.Jsonb);
        }

        await importer.CompleteAsync();
    }

    [Benchmark(Description = "AppendAsync")]
    public Task<IReadOnlyList<long>> AppendAsync() => Events.AppendAsync(Crawl, events);
}
