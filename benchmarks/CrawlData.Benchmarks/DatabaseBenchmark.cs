using BenchmarkDotNet.Attributes;
using CrawlData.Crawls;
using CrawlData.Testing;
using Npgsql;

namespace CrawlData.Benchmarks;

/// <summary>A benchmark with a migrated database of its own.</summary>
[MemoryDiagnoser]
public abstract class DatabaseBenchmark
{
    protected ThrowawayDatabase Database { get; private set; } = null!;

    protected NpgsqlDataSource DataSource => Database.DataSource;

    protected CrawlEventRepository Events { get; private set; } = null!;

    protected Guid Crawl { get; private set; }

    [GlobalSetup]
    public virtual async Task SetUpAsync()
    {
        Database = await ThrowawayDatabase.StartAsync();
        Events = new CrawlEventRepository(DataSource);
        Crawl = (await new CrawlRunRepository(DataSource).CreateAsync(new NewCrawlRun { AppPackage = "org.example.app" })).Id;
    }

    [GlobalCleanup]
    public async Task CleanUpAsync() => await Database.DisposeAsync();

    /// <summary>Events with payloads of 250 bytes or so.</summary>
    public static NewCrawlEvent[] MakeEvents(int count) =>
    [
        .. Enumerable.Range(1, count).Select(number => new NewCrawlEvent
        {
            EventType = "element.found",
            Payload = Jsonb.From(new { step = number, index = number % 40, kind = "link", href = $"https://docs.example.org/page-{number}.html", text = new string('x', 140), fresh = true }),
        }),
    ];
}
