using BenchmarkDotNet.Attributes;
using CrawlData.Crawls;

namespace CrawlData.Benchmarks.Crawls;

/// <summary>Stores events through the writer. Where each event is awaited, the baseline is single committed INSERTs by the same number of producers; where none
/// is, it is one binary COPY.</summary>
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
        crawls = await Seed.InsertCrawlsAsync(DataSource, Crawls);
        events = SampleData.MakeEvents(Scaled(Awaited ? BenchmarkScale.Full.AwaitedEvents : BenchmarkScale.Full.UnawaitedEvents));
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
    public Task ByHandAsync() => Awaited
        ? ConcurrentProducers.InsertAsync(DataSource, crawls, events, Producers)
        : HandWritten.CopyEventsInAsync(DataSource, events, crawls);

    [Benchmark(Description = "AppendAsync, or WriteAsync and FlushAsync")]
    public Task WriterAsync() => Awaited ? writer.AppendAsync(crawls, events, Producers) : writer.WriteAsync(crawls, events, Producers);
}
