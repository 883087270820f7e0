using System.Globalization;
using System.Text.RegularExpressions;
using CrawlData.Crawls;
using CrawlData.Diagnostics;
using CrawlData.Retention;
using Dapper;

namespace CrawlData.Tests.Crawls;

/// <summary>Each range query uses its index at 100,000 events and 100,000 runs, with custom and with generic plans.</summary>
public sealed class QueryPlanTests : DatabaseTest
{
    private static readonly Guid Crawl = new("00000000-0000-7000-8000-000000000032");

    private static readonly Dictionary<string, string> FirstPage = new(QueryPlan.WithoutBounds)
    {
        ["crawl_id"] = $"'{Crawl}'",
        ["after_id"] = "50000",
        ["up_to_id"] = "9223372036854775807",
        ["created_from"] = "'-infinity'",
        ["limit"] = "100",
    };

    [OneTimeSetUp]
    public async Task FillAsync()
    {
        await using var connection = await DataSource.OpenConnectionAsync();
        await connection.ExecuteAsync(
            """
            alter table crawl_runs set (autovacuum_enabled = off);
            alter table crawl_events set (autovacuum_enabled = off);
            insert into crawl_runs (id, status, app_package, created_at)
            select ('00000000-0000-7000-8000-' || lpad(to_hex(number), 12, '0'))::uuid,
                   case when number % 10000 = 0 then 'PENDING' when number % 20 = 0 then 'FAILED' else 'COMPLETED' end::crawl_status,
                   case when number % 1000 = 0 then 'org.example.rare' else 'org.example.app' end, timestamp '2026-01-01' + number * interval '1 minute'
            from generate_series(0, 99999) as number;
            insert into crawl_events (crawl_id, event_type, payload, created_at)
            select ('00000000-0000-7000-8000-' || lpad(to_hex(number % 100), 12, '0'))::uuid, 'type.' || number % 7, '{}',
                   timestamp '2026-01-01' + number * interval '1 millisecond'
            from generate_series(1, 100000) as number;
            analyze crawl_runs, crawl_events;
            """);
    }

    private static IEnumerable<TestCaseData> EventQueries() =>
    [
        Case("ReadSql after an id", CrawlEventStatements.ReadSql),
        Case("ReadSql of a type", CrawlEventStatements.ReadSql, "event_types", "array['type.1']"),
        Case("ReadSql of a time range", CrawlEventStatements.ReadSql, "created_from", "'2026-01-01'", "created_before", "'2036-01-01'"),
        Case("ReadSql up to an id", CrawlEventStatements.ReadSql, "up_to_id", "60000"),
        Case("StreamSql", CrawlEventStatements.StreamSql),
        Case("ReadAllSql", CrawlEventStatements.ReadAllSql),
        Case("FollowSql", CrawlEventReader.FollowSql),
        Case("CountSql", CrawlEventStatements.CountSql),
        Case("CountByTypeSql", CrawlEventStatements.CountByTypeSql),
        Case("LastSql", CrawlEventStatements.LastSql),
    ];

    private static TestCaseData Case(string name, string sql, params string[] literals) => new TestCaseData(sql, literals).SetArgDisplayNames(name);

    [TestCaseSource(nameof(EventQueries))]
    public async Task Queries_of_a_crawl_s_events_use_the_index_on_crawl_and_id(string sql, string[] literals)
    {
        foreach (var mode in QueryPlan.Modes)
        {
            var plan = await ExplainAsync(mode, sql, literals);

            Assert.That(plan, Does.Contain("idx_crawl_events_crawl_id").And.Not.Contain("Seq Scan").And.Not.Contain("crawl_events_pkey"));
            Assert.That(plan, Does.Match(sql.Contains(" limit ") ? "Index Cond: .*ROW.crawl_id, id. >=? ROW" : "Index Cond: .*crawl_id = "), plan);
        }
    }

    private static IEnumerable<TestCaseData> WholeReads() =>
    [
        Case("StreamSql", CrawlEventStatements.StreamSql),
        Case("ReadAllSql", CrawlEventStatements.ReadAllSql),
        Case("CountSql", CrawlEventStatements.CountSql),
        Case("CountByTypeSql", CrawlEventStatements.CountByTypeSql),
    ];

    /// <summary>The crawl has 1,000 of 100,000 events. A server that expects many more reads the whole table, however large it is.</summary>
    [TestCaseSource(nameof(WholeReads))]
    public async Task A_read_without_a_limit_is_expected_to_read_its_own_crawl(string sql, string[] literals)
    {
        var (_, plan) = await QueryPlan.CountPagesAsync(
            DataSource, "force_custom_plan", sql, FirstPage, [.. literals, "after_id", "-9223372036854775808"]);

        var rows = Regex.Match(plan, """"Relation Name": "crawl_events".*?"Plan Rows": (\d+)"""", RegexOptions.Singleline).Groups[1].Value;
        Assert.That(int.Parse(rows, CultureInfo.InvariantCulture), Is.InRange(100, 5_000), plan);
        Assert.That(plan, Does.Not.Contain("Seq Scan"));
    }

    /// <summary>A follower reads at its cursor again and again, also when its crawl is long. Other crawls drew most of the ids: a look-up that ends between
    /// two events must not read on to the crawl's end.</summary>
    [Test]
    public async Task A_read_after_an_event_and_the_search_for_a_time_look_at_few_pages_of_a_long_crawl()
    {
        var crawl = await CreateCrawlAsync();
        await using var connection = await DataSource.OpenConnectionAsync();
        await connection.ExecuteAsync(
            """
            insert into crawl_events (id, crawl_id, event_type, payload, created_at)
            select 1000000000 + number * 1000, @crawl, 'step', '{}', timestamp '2026-01-01' + number * interval '1 s'
            from generate_series(1, 20000) as number
            """,
            new { crawl });
        const long Last = 1_020_000_000;
        foreach (var mode in QueryPlan.Modes)
        {
            await AssertAsync(CrawlEventStatements.ReadSql, 12, "after_id", $"{Last - 10_000}");
            foreach (var time in new[] { "2026-01-01 00:00:02", "2026-01-01 04:00", "2026-01-02" })
            {
                await AssertAsync(CrawlEventRepository.FirstAtSql, 90, "created_from", $"'{time}'", "after_id", "null");
                await AssertAsync(CrawlEventRepository.FirstAtSql, 90, "created_from", $"'{time}'", "up_to_id", "1010000000");
            }

            async Task AssertAsync(string sql, int most, params string[] literals)
            {
                var (pages, plan) = await QueryPlan.CountPagesAsync(DataSource, mode, sql, FirstPage, ["crawl_id", $"'{crawl}'", .. literals]);

                Assert.That(pages, Is.LessThan(most), $"{mode} {string.Join(' ', literals)}\n{plan}");
            }
        }
    }

    private static IEnumerable<TestCaseData> Views() =>
    [
        View("The newest events", CrawlEventRepository.ReadNewestSql, 30, "after_id", "-9223372036854775808", "limit", "20"),
        View("The events before one", CrawlEventRepository.ReadNewestSql, 30, "after_id", "-9223372036854775808", "up_to_id", "50000", "limit", "20"),
        View("A summary's first events", CrawlEventRepository.SummarizeSql, 120, "after_id", "-9223372036854775808"),
        View("The event at a time", CrawlEventRepository.FirstAtSql, 60, "created_from", "'2026-01-01 00:00:50'", "after_id", "null"),
        View("The last events of 50 runs", CrawlEventRepository.LastOfEachSql, 300, "ids", RunIds(1, 50)),
        View("Runs by prefix", CrawlRunRepository.FindIdsSql, 15, "first_id", $"'{Crawl}'", "last_id", "'00000000-0000-7000-8000-0000000000ff'", "limit", "2"),
        View("The neighbours of 20 runs", CrawlRunRepository.NeighbourIdsSql, 200, "ids", RunIds(1, 20)),
    ];

    private static TestCaseData View(string name, string sql, int mostPages, params string[] literals) =>
        new TestCaseData(sql, mostPages, literals).SetArgDisplayNames(name);

    private static string RunIds(int first, int count) =>
        $"array[{string.Join(", ", Enumerable.Range(first, count).Select(number => $"'00000000-0000-7000-8000-{number:x12}'"))}]::uuid[]";

    /// <summary>People look at a view again and again, also when the tables are large.</summary>
    [TestCaseSource(nameof(Views))]
    public async Task A_view_looks_at_few_pages(string sql, int mostPages, string[] literals)
    {
        foreach (var mode in QueryPlan.Modes)
        {
            var (pages, plan) = await QueryPlan.CountPagesAsync(DataSource, mode, sql, FirstPage, literals);

            Assert.That(plan, Does.Not.Contain("Seq Scan"), mode);
            Assert.That(pages, Is.LessThan(mostPages), $"{mode}\n{plan}");
        }
    }

    [Test]
    public async Task A_comparison_reads_only_its_two_crawls_and_holds_no_payload_in_its_sort()
    {
        var plan = await QueryPlan.ExplainAsync(
            DataSource, "force_generic_plan", CrawlEventRepository.CompareSql, FirstPage,
            "ids", RunIds(1, 2), "older_id", $"'{Crawl}'", "newer_id", $"'{Crawl}'", "key", "'url'");

        Assert.That(plan, Does.Contain("idx_crawl_events_crawl_id").And.Not.Contain("Seq Scan on crawl_events"), plan);
    }

    private static IEnumerable<TestCaseData> RunQueries() =>
    [
        Case("ListNewestSql", CrawlRunRepository.ListNewestSql),
        Case("ListNewestSql after a run", CrawlRunRepository.ListNewestSql, "before_time", "'2026-02-01'"),
        Case("ListNewestSql of a time range", CrawlRunRepository.ListNewestSql, "before_time", "'2026-02-01'", "after_time", "'2026-01-15'"),
        Case("ListOldestSql", CrawlRunRepository.ListOldestSql),
        Case("ListOldestSql after a run", CrawlRunRepository.ListOldestSql, "after_time", "'2026-02-01'"),
        Case("ListOldestSql of a time range", CrawlRunRepository.ListOldestSql, "before_time", "'2026-02-01'", "after_time", "'2026-01-15'"),
    ];

    [TestCaseSource(nameof(RunQueries))]
    public async Task Lists_of_runs_use_the_index_on_creation_in_both_orders(string sql, string[] literals)
    {
        foreach (var mode in QueryPlan.Modes)
        {
            var plan = await ExplainAsync(mode, sql, literals);

            var direction = sql == CrawlRunRepository.ListOldestSql ? " Backward" : "";
            Assert.That(plan, Does.Contain($"Index Scan{direction} using idx_crawl_runs_created_at").And.Not.Contain("Seq Scan"));
            Assert.That(plan, Does.Match("Index Cond: .*ROW\\(created_at.*|Index Cond: .*created_at [<>]"), plan);
        }
    }

    private const string StatusIndex = "idx_crawl_runs_status_created_at";
    private const string AppIndex = "idx_crawl_runs_app_package_status_created_at";

    private static IEnumerable<TestCaseData> FilteredRunQueries() =>
    [
        Filtered("The oldest pending runs", CrawlRunRepository.ListOldestByStatusSql, StatusIndex, "statuses", "'{PENDING}'"),
        Filtered("The newest failed runs", CrawlRunRepository.ListNewestByStatusSql, StatusIndex, "statuses", "'{FAILED}'"),
        Filtered("Failed runs before one", CrawlRunRepository.ListNewestByStatusSql, StatusIndex, "statuses", "'{FAILED}'", "before_time", "'2026-02-01'"),
        Filtered("Failed runs after one", CrawlRunRepository.ListOldestByStatusSql, StatusIndex, "statuses", "'{FAILED}'", "after_time", "'2026-02-01'"),
        Filtered("The newest runs of an app", CrawlRunRepository.ListNewestByStatusSql, AppIndex, "app_package", "'org.example.rare'"),
        Filtered(
            "The failed runs of an app", CrawlRunRepository.ListOldestByStatusSql, AppIndex, "app_package", "'org.example.app'", "statuses", "'{FAILED}'"),
        Filtered("The number of pending runs", CrawlRunRepository.CountOfEachStatusSql, StatusIndex, "statuses", "'{PENDING}'"),
        Filtered("The number of runs of an app", CrawlRunRepository.CountOfEachStatusSql, AppIndex, "app_package", "'org.example.rare'"),
        Filtered("The oldest unfinished runs", DatabaseStatusReader.OldestRunsSql, StatusIndex),
    ];

    private static TestCaseData Filtered(string name, string sql, string index, params string[] literals) =>
        new TestCaseData(sql, index, literals).SetArgDisplayNames(name);

    [TestCaseSource(nameof(FilteredRunQueries))]
    public async Task Lists_and_counts_of_a_status_or_an_app_read_only_their_runs(string sql, string index, string[] literals)
    {
        foreach (var mode in QueryPlan.Modes)
        {
            var (pages, plan) = await QueryPlan.CountPagesAsync(DataSource, mode, sql, FirstPage, literals);

            Assert.That(plan, Does.Contain($"\"{index}\"").And.Not.Contain("Seq Scan"), mode);
            Assert.That(pages, Is.LessThan(250), $"{mode}\n{plan}");
        }
    }

    /// <summary>Each run in the status is looked up in the tables beside it. No condition makes the server read all of a table.</summary>
    [Test]
    public async Task Claims_and_searches_for_stale_runs_read_only_the_runs_in_the_status()
    {
        await using var connection = await DataSource.OpenConnectionAsync();
        await connection.ExecuteAsync(
            """
            insert into crawl_runs (id, status, app_package, created_at, started_at)
            select ('00000000-0000-7000-8000-' || lpad(to_hex(number), 12, '0'))::uuid, 'RUNNING', 'org.example.running', '2026-05-01', '2026-05-01'
            from generate_series(200001, 200010) as number;
            insert into crawl_run_claims (run_id, claim, heartbeat_at)
            select id, 1, '2026-05-01' from crawl_runs where id < '00000000-0000-7000-8000-000000005000';
            insert into crawl_run_retries (run_id, retry_of, attempt, not_before)
            select run_id, gen_random_uuid(), 2, '2026-05-01' from crawl_run_claims;
            analyze crawl_run_claims, crawl_run_retries;
            """);
        foreach (var mode in QueryPlan.Modes)
        {
            foreach (var sql in new[] { CrawlRunQueue.ClaimNextSql, CrawlRunQueue.ListStaleSql, CrawlRunQueue.ListSilentSql, CrawlRunQueue.LockStaleSql })
            {
                var (pages, plan) = await QueryPlan.CountPagesAsync(
                    DataSource, mode, sql, FirstPage, "mark", "0", "silent_for", "interval '5 minutes'", "limit", "5");

                Assert.That(plan, Does.Contain($"\"{StatusIndex}\"").And.Not.Contain("\"Seq Scan\""), $"{mode}\n{plan}");
                Assert.That(pages, Is.LessThan(100), $"{mode}\n{plan}");
            }
        }
    }

    [TestCase(nameof(RetentionPurger.ListOldCrawlsSql), "idx_crawl_runs_created_at")]
    [TestCase(nameof(RetentionPurger.ListDeletableCrawlsSql), "crawl_runs_pkey")]
    public async Task A_purge_finds_crawls_and_their_last_events_by_indexes(string name, string index)
    {
        var sql = name == nameof(RetentionPurger.ListOldCrawlsSql) ? RetentionPurger.ListOldCrawlsSql : RetentionPurger.ListDeletableCrawlsSql;
        foreach (var mode in QueryPlan.Modes)
        {
            var plan = await ExplainAsync(mode, sql, ["cutoff", "'2026-01-02'", "ids", $"array['{Crawl}']::uuid[]"]);

            Assert.That(plan, Does.Contain(index).And.Contain("Backward using idx_crawl_events_crawl_id"), mode);
            Assert.That(plan, Does.Not.Contain("Seq Scan").And.Not.Contain("crawl_events_pkey"), mode);
        }
    }

    /// <summary>The first row tells where the table ends, and the events follow in order. No step may reorder them.</summary>
    [Test]
    public async Task A_read_of_all_crawls_keeps_its_rows_in_order()
    {
        foreach (var mode in QueryPlan.Modes)
        {
            var plan = await ExplainAsync(mode, CrawlEventReader.ReadAllSql, ["is_waiting", "false", "server_start", "pg_postmaster_start_time()"]);

            Assert.That(plan, Does.StartWith("Append\n").And.Contain("Index Scan using crawl_events_pkey").And.Not.Contain("Parallel"), mode);
        }
    }

    [Test]
    public async Task The_query_for_the_newest_event_uses_the_primary_key() =>
        Assert.That(
            await ExplainAsync("force_custom_plan", DatabaseStatusReader.NewestEventSql, []),
            Does.Contain("Scan Backward using crawl_events_pkey").And.Not.Contain("Seq Scan"));

    /// <summary>A look must cost the same for each crawl, however many events the table has.</summary>
    [Test]
    public async Task A_look_for_many_followed_crawls_searches_the_index_for_each()
    {
        string[] literals =
        [
            "crawl_ids", $"array[{string.Join(", ", Enumerable.Range(0, 100).Select(number => $"'00000000-0000-7000-8000-{number:x12}'"))}]::uuid[]",
            "after_ids", "array_fill(99990::bigint, array[100])", "checks", "array_fill(true, array[100])",
        ];
        foreach (var mode in QueryPlan.Modes)
        {
            var plan = await ExplainAsync(mode, CrawlEventReader.LookSql, literals);
            var (pages, _) = await QueryPlan.CountPagesAsync(DataSource, mode, CrawlEventReader.LookSql, FirstPage, literals);

            Assert.That(plan, Does.Match("idx_crawl_events_crawl_id.*\n *Index Cond: .*crawl_id = ANY .*id > "), plan);
            Assert.That(plan, Does.Not.Contain("Seq Scan on crawl_events"), plan);
            Assert.That(pages, Is.LessThan(100 * 15), plan);
        }
    }

    /// <summary>The append takes its locks before it draws the first id: the plan counts them in a one-time filter below the insert.</summary>
    [Test]
    public async Task An_append_takes_its_locks_before_it_draws_an_id()
    {
        string[] literals =
        [
            "1", $"array['{Crawl}']::uuid[]", "2", $"array['{Crawl}']::uuid[]", "3", "array['step']",
            "4", "array['{}']", "5", "array[null]::timestamp[]",
            "6", $"array['{Crawl}']::uuid[]", "7", "array[1]", "8", "array[false]",
        ];
        foreach (var sql in new[] { CrawlEventStatements.InsertSql, CrawlEventStatements.InsertClaimedSql, CrawlEventStatements.InsertAvailableClaimedSql })
        {
            foreach (var mode in QueryPlan.Modes)
            {
                var plan = await ExplainAsync(mode, sql, literals);

                Assert.That(plan, Does.Contain("LockRows").And.Contain("One-Time Filter"), plan);
            }
        }
    }

    private Task<string> ExplainAsync(string mode, string sql, string[] literals) => QueryPlan.ExplainAsync(DataSource, mode, sql, FirstPage, literals);
}
