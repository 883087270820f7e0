using BenchmarkDotNet.Attributes;
using CrawlData.Crawls;

namespace CrawlData.Benchmarks.Crawls;

/// <summary>Appends and commits events, which returns their ids. The baseline is a binary COPY without ids.</summary>
public class CrawlEventAppendBenchmarks : DatabaseBenchmark
{
    private NewCrawlEvent[] events = [];
    private Guid crawl;

    [Params(1, 100, 1_000, 10_000, 100_000)]
    public int Count { get; set; }

    public override async Task SetUpAsync()
    {
        await base.SetUpAsync();
        crawl = (await Seed.InsertCrawlsAsync(DataSource, 1))[0];
        events = SampleData.MakeEvents(Scaled(Count));
    }

    [IterationSetup]
    public void Empty() => Truncate("crawl_events");

    [Benchmark(Baseline = true, Description = "COPY without ids")]
    public Task ByCopyAsync() => HandWritten.CopyEventsInAsync(DataSource, events, crawl);

    [Benchmark(Description = "AppendAsync")]
    public Task<IReadOnlyList<long>> AppendAsync() => Events.AppendAsync(crawl, events);
}
