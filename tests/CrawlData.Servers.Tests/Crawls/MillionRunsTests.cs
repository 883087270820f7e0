using CrawlData.Crawls;
using CrawlData.Diagnostics;
using Dapper;

namespace CrawlData.Tests.Crawls;

/// <summary>What listings read beside a million finished runs, in pages of 8 kB. The time would depend on the machine.</summary>
public sealed class MillionRunsTests : DatabaseTest
{
    private const string Middle = "'2026-02-27'";

    private static readonly Dictionary<string, string> FirstPage = new(QueryPlan.WithoutBounds)
    {
        ["limit"] = "51",
    };

    [OneTimeSetUp]
    public async Task FillAsync()
    {
        await using var connection = await DataSource.OpenConnectionAsync();
        await connection.ExecuteAsync(
            """
            insert into crawl_runs (id, status, app_package, created_at)
            select ('00000000-0000-7000-8000-' || lpad(to_hex(number), 12, '0'))::uuid,
                   case when number % 100000 = 0 then 'PENDING' when number % 100000 = 1 then 'RUNNING' when number % 20 = 0 then 'FAILED' else 'COMPLETED' end
                       ::crawl_status,
                   case when number % 50000 = 0 then 'org.example.rare' else 'org.example.app' end,
                   timestamp '2026-01-01' + number * interval '10 seconds'
            from generate_series(1, 1000020) as number
            """,
            commandTimeout: 120);
        await connection.ExecuteAsync("vacuum analyze crawl_runs", commandTimeout: 120);
    }

    private static IEnumerable<TestCaseData> Queries() =>
    [
        Case("Oldest pending", CrawlRunRepository.ListOldestByStatusSql, "statuses", "'{PENDING}'"),
        Case("Newest pending of an app", CrawlRunRepository.ListNewestByStatusSql, "statuses", "'{PENDING}'", "app_package", "'org.example.app'"),
        Case("Newest cancelled, without any in the table", CrawlRunRepository.ListNewestByStatusSql, "statuses", "'{CANCELLED}'"),
        Case("Newest failed", CrawlRunRepository.ListNewestByStatusSql, "statuses", "'{FAILED}'"),
        Case("Newest failed, from the middle", CrawlRunRepository.ListNewestByStatusSql, "statuses", "'{FAILED}'", "before_time", Middle),
        Case("Oldest failed, from the middle", CrawlRunRepository.ListOldestByStatusSql, "statuses", "'{FAILED}'", "after_time", Middle),
        Case("Newest of a rare app", CrawlRunRepository.ListNewestByStatusSql, "app_package", "'org.example.rare'"),
        Case("Failed of a rare app", CrawlRunRepository.ListOldestByStatusSql, "app_package", "'org.example.rare'", "statuses", "'{FAILED}'"),
        Case("Newest of the common app", CrawlRunRepository.ListNewestByStatusSql, "app_package", "'org.example.app'"),
        Case("Oldest of the common app, from the middle", CrawlRunRepository.ListOldestByStatusSql, "app_package", "'org.example.app'", "after_time", Middle),
        Case("Newest", CrawlRunRepository.ListNewestSql),
        Case("Newest, from the middle", CrawlRunRepository.ListNewestSql, "before_time", Middle),
        Case("Completed, of an hour", CrawlRunRepository.ListNewestSql, "statuses", "'{COMPLETED}'", "after_time", Middle, "before_time", "'2026-02-27 01:00'"),
        Case("Number of the unfinished", CrawlRunRepository.CountOfEachStatusSql, "statuses", "'{PENDING,RUNNING}'"),
        Case("Number of a rare app's", CrawlRunRepository.CountOfEachStatusSql, "app_package", "'org.example.rare'"),
        Case("Oldest unfinished", DatabaseStatusReader.OldestRunsSql),
    ];

    private static TestCaseData Case(string name, string sql, params string[] literals) => new TestCaseData(sql, literals).SetArgDisplayNames(name);

    /// <summary>The bound has room for the pages of the index, and for a run of each of five statuses where one is asked for.</summary>
    [TestCaseSource(nameof(Queries))]
    public async Task A_listing_reads_about_as_many_pages_as_it_has_runs(string sql, string[] literals)
    {
        foreach (var mode in QueryPlan.Modes)
        {
            var (pages, plan) = await QueryPlan.CountPagesAsync(DataSource, mode, sql, FirstPage, literals);

            Assert.That(pages, Is.LessThan(120), $"{mode}\n{plan}");
        }
    }
}
