using BenchmarkDotNet.Attributes;
using CrawlData.Crawls;
using CrawlData.Testing;
using Npgsql;

namespace CrawlData.Benchmarks;

/// <summary>A benchmark with a migrated database: each case has its own, unless the suite gives one that its cases share.</summary>
/// <param name="shared">Starts a database that is only read, and kept until the process ends.</param>
[MemoryDiagnoser]
public abstract class DatabaseBenchmark(Lazy<Task<ThrowawayDatabase>>? shared = null)
{
    protected ThrowawayDatabase Database { get; private set; } = null!;

    protected NpgsqlDataSource DataSource => Database.DataSource;

    protected CrawlEventRepository Events { get; private set; } = null!;

    [GlobalSetup]
    public virtual async Task SetUpAsync()
    {
        Database = await (shared?.Value ?? ThrowawayDatabase.StartAsync());
        Events = new CrawlEventRepository(DataSource);
    }

    [GlobalCleanup]
    public virtual async Task CleanUpAsync()
    {
        if (shared is null)
        {
            await Database.DisposeAsync();
        }
    }

    /// <summary>Events with payloads of 250 bytes or so.</summary>
    public static NewCrawlEvent[] MakeEvents(int count) =>
    [
        .. Enumerable.Range(1, count).Select(number => new NewCrawlEvent
        {
            EventType = "element.found",
            Payload = Jsonb.From(new
            {
                step = number,
                index = number % 40,
                kind = "link",
                href = $"https://docs.example.org/page-{number}.html",
                text = new string('x', 140),
                fresh = true,
            }),
        }),
    ];

    /// <summary>Checks that as many rows came as were to come: a benchmark of nothing is fast.</summary>
    public static int Require(int expected, int rows) =>
        rows == expected ? rows : throw new InvalidOperationException($"There were {rows} rows instead of {expected}.");

    /// <summary>Empties a table, so that an iteration finds what the one before it found. BenchmarkDotNet does not await what sets an iteration up.</summary>
    protected void Truncate(string table) => Seed.ExecuteAsync(DataSource, $"truncate {table}").GetAwaiter().GetResult();
}
