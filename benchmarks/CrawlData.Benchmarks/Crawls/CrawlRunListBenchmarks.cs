using BenchmarkDotNet.Attributes;
using CrawlData.Crawls;
using CrawlData.Testing;

namespace CrawlData.Benchmarks.Crawls;

/// <summary>Lists the first page and the 10,000th page of 1,000,000 runs by cursor. The baseline is the same page by OFFSET.</summary>
public class CrawlRunListBenchmarks() : DatabaseBenchmark(Seeded)
{
    private const int PageSize = 50;

    private static readonly Lazy<Task<ThrowawayDatabase>> Seeded = new(SeedAsync);

    private CrawlRunRepository runs = null!;
    private string? cursor;
    private int before;

    [Params(1, 10_000)]
    public int Page { get; set; }

    public override async Task SetUpAsync()
    {
        await base.SetUpAsync();
        runs = new CrawlRunRepository(DataSource);
        before = PageSize * (Scaled(Page) - 1);
        cursor = null;
        for (var left = before; left > 0; left -= CrawlRunRepository.MaxPageSize)
        {
            cursor = (await runs.ListAsync(pageSize: Math.Min(left, CrawlRunRepository.MaxPageSize), cursor: cursor)).NextCursor;
        }
    }

    [Benchmark(Baseline = true, Description = "Npgsql by hand, OFFSET")]
    public async Task<int> ByHandAsync()
    {
        var read = new List<(Guid, string, string, DateTime)>();
        return RowCount.Require(PageSize, await HandWritten.ReadAsync(
            DataSource,
            "select id, status::text, app_package, created_at from crawl_runs order by created_at desc, id desc limit $1 offset $2",
            reader => (reader.GetGuid(0), reader.GetString(1), reader.GetString(2), reader.GetDateTime(3)),
            read.Add,
            PageSize,
            before));
    }

    [Benchmark(Description = "ListAsync")]
    public async Task<int> ListAsync() => RowCount.Require(PageSize, (await runs.ListAsync(pageSize: PageSize, cursor: cursor)).Items.Count);

    private static async Task<ThrowawayDatabase> SeedAsync()
    {
        var database = await ThrowawayDatabase.StartAsync();
        await Seed.ExecuteAsync(
            database.DataSource,
            """
            insert into crawl_runs (status, app_package, created_at)
            select 'COMPLETED', 'org.example.app', timestamp '2026-01-01' + number * interval '1 second' from generate_series(1, $1) as number
            """,
            Scaled(1_000_000));
        await Seed.VacuumAsync(database.DataSource);
        return database;
    }
}
