using BenchmarkDotNet.Attributes;
using CrawlData.Crawls;

namespace CrawlData.Benchmarks.Crawls;

/// <summary>The writer: beside single committed INSERTs by as many producers, when each event is awaited, and beside one binary COPY, when none is.</summary>
public class CrawlEventWriterBenchmarks : DatabaseBenchmark
{
    private NewCrawlEvent[] events = [];
    private IReadOnlyList<Guid> crawls = [];
    private CrawlEventWriter writer = null!;

    [Params(1, 8, 32)]
    public int Producers { get; set; }

    [Params(1, 100)]
    public int Crawls { get; set; }

    [Params(true, false)]
    public bool Awaited { get; set; }

    public override async Task SetUpAsync()
    {
        await base.SetUpAsync();
        crawls = await Seed.RunsAsync(DataSource, Crawls);
        events = MakeEvents(Scale.Of(Awaited ? 2_000 : 30_000));
        writer = new CrawlEventWriter(Events);
    }

    public override async Task CleanUpAsync()
    {
        await writer.DisposeAsync();
        await base.CleanUpAsync();
    }

    [IterationSetup]
    public void Empty() => Truncate("crawl_events");

    [Benchmark(Baseline = true, Description = "single INSERTs, or one COPY")]
    public Task ByHandAsync() => Awaited ? HandWritten.InsertAsync(DataSource, crawls, events, Producers) : HandWritten.CopyAsync(DataSource, events, crawls);

    [Benchmark(Description = "AppendAsync, or WriteAsync and FlushAsync")]
    public Task WriterAsync() => Awaited ? writer.AppendAsync(crawls, events, Producers) : writer.WriteAsync(crawls, events, Producers);
}
