using BenchmarkDotNet.Attributes;
using CrawlData.Crawls;
using CrawlData.Testing;

namespace CrawlData.Benchmarks.Crawls;

/// <summary>Streams one crawl's 1,000,000 events, and fails if the managed memory grows with their number. The baseline is Npgsql by hand.</summary>
public class CrawlEventStreamBenchmarks() : DatabaseBenchmark(Seeded)
{
    /// <summary>The limit in bytes: uncollected garbage stays below it, and a list of the events would take several hundred MiB.</summary>
    private const long MemoryLimit = 64 * 1024 * 1024;

    private const int Total = 1_000_000;

    private const int EventsBetweenChecks = 1_000;

    private static readonly Lazy<Task<ThrowawayDatabase>> Seeded = new(() => Seed.StartDatabaseAsync(crawls: 1, Scaled(Total)));

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
        Console.WriteLine($"// Managed memory grew by at most {peak:N0} bytes; the limit is {MemoryLimit:N0}.");
    }

    [IterationSetup]
    public void Begin() => (read, before) = (0, GC.GetTotalMemory(forceFullCollection: true));

    [Benchmark(Baseline = true, Description = "Npgsql by hand")]
    public async Task<int> ByHandAsync() => RowCount.Require(Scaled(Total), await HandWritten.ReadAsync(
        DataSource,
        HandWritten.ReadEventsSql,
        HandWritten.ReadEvent,
        _ => Count(),
        crawl));

    [Benchmark(Description = "StreamAsync")]
    public async Task<int> StreamAsync()
    {
        await foreach (var _ in Events.StreamAsync(crawl))
        {
            Count();
        }

        return RowCount.Require(Scaled(Total), read);
    }

    private void Count()
    {
        if (++read % EventsBetweenChecks == 0)
        {
            var grown = GC.GetTotalMemory(forceFullCollection: false) - before;
            peak = Math.Max(peak, grown);
            if (grown > MemoryLimit)
            {
                throw new InvalidOperationException($"After {read} events the managed memory has grown by {grown} bytes; the limit is {MemoryLimit}.");
            }
        }
    }
}
