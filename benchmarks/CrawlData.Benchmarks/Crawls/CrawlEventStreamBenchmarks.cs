using BenchmarkDotNet.Attributes;
using CrawlData.Crawls;
using CrawlData.Testing;

namespace CrawlData.Benchmarks.Crawls;

/// <summary>One crawl's 1,000,000 events, streamed, beside hand-written Npgsql; the managed memory may not grow with them.</summary>
public class CrawlEventStreamBenchmarks() : DatabaseBenchmark(Seeded)
{
    /// <summary>What garbage the collector may leave before it collects; a list of the events would take several hundred.</summary>
    private const long MemoryLimit = 64 * 1024 * 1024;

    private const int Total = 1_000_000;

    private const int EventsBetweenLooks = 1_000;

    private static readonly Lazy<Task<ThrowawayDatabase>> Seeded = new(() => Seed.EventsAsync(crawls: 1, Scale.Of(Total)));

    private Guid crawl;
    private int read;
    private long before;
    private long peak;

    public override async Task SetUpAsync()
    {
        await base.SetUpAsync();
        crawl = (await new CrawlRunRepository(DataSource).ListAsync(pageSize: 1)).Items[0].Id;
    }

    public override async Task CleanUpAsync()
    {
        await base.CleanUpAsync();
        Console.WriteLine($"// Managed memory grew by {peak:N0} bytes at most; the limit is {MemoryLimit:N0}.");
    }

    [IterationSetup]
    public void Begin() => (read, before) = (0, GC.GetTotalMemory(forceFullCollection: true));

    [Benchmark(Baseline = true, Description = "Npgsql by hand")]
    public async Task<int> ByHandAsync() => Require(Scale.Of(Total), await HandWritten.ReadAsync(
        DataSource,
        "select id, crawl_id, event_type, payload, created_at from crawl_events where crawl_id = $1 order by crawl_id, id",
        CrawlEventReadBenchmarks.Row,
        _ => Count(),
        crawl));

    [Benchmark(Description = "StreamAsync")]
    public async Task<int> StreamAsync()
    {
        await foreach (var _ in Events.StreamAsync(crawl))
        {
            Count();
        }

        return Require(Scale.Of(Total), read);
    }

    private void Count()
    {
        if (++read % EventsBetweenLooks == 0)
        {
            var grown = GC.GetTotalMemory(forceFullCollection: false) - before;
            peak = Math.Max(peak, grown);
            if (grown > MemoryLimit)
            {
                throw new InvalidOperationException($"After {read} events the managed memory has grown by {grown} bytes; the most is {MemoryLimit}.");
            }
        }
    }
}
