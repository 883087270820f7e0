using CrawlData.Crawls;
using CrawlData.Retention;
using Dapper;

namespace CrawlData.Tests.Crawls;

/// <summary>The newest event of a crawl is found by the index also where few crawls have most events, and others came after it. The server expects to meet such
/// a crawl soon wherever it looks, so an equality and a limit let it scan the primary key.</summary>
public sealed class NewestEventPlanTests : DatabaseTest
{
    private static readonly Guid Running = new("00000000-0000-7000-8000-000000000001");
    private static readonly Guid Completed = new("00000000-0000-7000-8000-000000000003");

    [OneTimeSetUp]
    public async Task FillAsync()
    {
        await using var connection = await DataSource.OpenConnectionAsync();
        await connection.ExecuteAsync(
            """
            insert into crawl_runs (id, status, app_package, created_at, started_at, completed_at)
            select ('00000000-0000-7000-8000-00000000000' || number)::uuid, (array['RUNNING', 'RUNNING', 'COMPLETED'])[number]::crawl_status, 'org.example.app',
                   '2026-01-01', '2026-01-01', case when number = 3 then timestamp '2026-01-01' end
            from generate_series(1, 3) as number;
            insert into crawl_events (crawl_id, event_type, payload, created_at)
            select ('00000000-0000-7000-8000-00000000000' || 1 + 2 * (number % 2))::uuid, 'step', '{}', '2026-01-01' from generate_series(1, 20000) as number;
            insert into crawl_events (crawl_id, event_type, payload)
            select '00000000-0000-7000-8000-000000000002', 'step', '{}' from generate_series(1, 20000);
            """);
        await connection.ExecuteAsync("vacuum analyze crawl_events");
    }

    private static IEnumerable<TestCaseData> Statements() =>
    [
        Case("LastSql", CrawlEventStatements.LastSql),
        Case("LastOfEachSql", CrawlEventRepository.LastOfEachSql),
        Case("FollowCheckedSql", CrawlEventReader.FollowCheckedSql),
        Case("LookSql", CrawlEventReader.LookSql),
        Case("ListSilentSql", CrawlRunQueue.ListSilentSql),
        Case("ListStaleSql", CrawlRunQueue.ListStaleSql),
        Case("ListOldCrawlsSql", RetentionPurger.ListOldCrawlsSql),
    ];

    private static TestCaseData Case(string name, string sql) => new TestCaseData(sql).SetArgDisplayNames(name);

    [TestCaseSource(nameof(Statements))]
    public async Task The_newest_event_of_a_crawl_costs_few_pages(string sql)
    {
        var values = new Dictionary<string, string>(QueryPlan.WithoutBounds)
        {
            ["crawl_id"] = $"'{Running}'",
            ["ids"] = $"array['{Running}', '{Completed}']::uuid[]",
            ["crawl_ids"] = $"array['{Running}', '{Completed}']::uuid[]",
            ["after_ids"] = "array[20000, 20000]::bigint[]",
            ["checks"] = "array[true, true]",
            ["after_id"] = "20000",
            ["up_to_id"] = "9223372036854775807",
            ["mark"] = "20000",
            ["silent_for"] = "interval '5 minutes'",
            ["cutoff"] = "'2026-06-01'",
            ["limit"] = "100",
        };
        foreach (var mode in QueryPlan.Modes)
        {
            var (pages, plan) = await QueryPlan.CountPagesAsync(DataSource, mode, sql, values);

            Assert.That(pages, Is.LessThan(100), $"{mode}\n{plan}");
            Assert.That(plan, Does.Not.Contain("crawl_events_pkey"), mode);
        }
    }
}
