using BenchmarkDotNet.Attributes;
using CrawlData.Crawls;
using CrawlData.Testing;
using Npgsql;

namespace CrawlData.Benchmarks;

/// <summary>A benchmark with a migrated database. Each case has a database of its own, unless the suite passes one that its cases share.</summary>
/// <param name="shared">Starts a database that the cases only read. It lives until the process ends.</param>
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

    /// <summary>Reduces a row count to the scale of the suites.</summary>
    protected static int Scaled(int count) => BenchmarkScale.OfSuites.Of(count);

    /// <summary>Empties a table, so that all iterations start alike. It blocks, since BenchmarkDotNet does not await an iteration's set-up.</summary>
    protected void Truncate(string table) => Seed.ExecuteAsync(DataSource, $"truncate {table}").GetAwaiter().GetResult();
}
