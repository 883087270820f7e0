using System.Text.RegularExpressions;
using CrawlData.Crawls;
using CrawlData.Schema;
using CrawlData.Tests.Schema;

namespace CrawlData.Tests.Crawls;

/// <summary>Reads after an id look into the partitions of greater ids alone, with custom and with generic plans.</summary>
public sealed class PartitionPlanTests : MigratorTest
{
    private static readonly Guid Crawl = new("00000000-0000-7000-8000-000000000001");

    private static readonly Dictionary<string, string> Values = new(QueryPlan.WithoutBounds)
    {
        ["crawl_id"] = $"'{Crawl}'",
        ["crawl_ids"] = $"array['{Crawl}', '{Guid.Empty}']::uuid[]",
        ["after_ids"] = "array[3500, 3500]::bigint[]",
        ["checks"] = "array[true, false]",
        ["row_id"] = "3500",
        ["is_waiting"] = "false",
        ["server_start"] = "pg_postmaster_start_time()",
        ["limit"] = "100",
    };

    [SetUp]
    public async Task FillAsync()
    {
        await new SchemaMigrator(DataSource).MigrateAsync();
        await new EventPartitioner(DataSource, new EventPartitionerOptions { Width = 1_000, Ahead = 5, Margin = 1_000 }).PartitionAsync();
        await ExecuteAsync(
            $"""
            insert into crawl_runs (id, app_package, status)
            select id, 'org.example.app', 'RUNNING' from unnest(array['{Crawl}', '{Guid.Empty}']::uuid[]) as id;
            insert into crawl_events (id, crawl_id, event_type, payload)
            select number, case when number % 10 = 0 then '{Crawl}' else '{Guid.Empty}' end::uuid, 'step', '{"{}"}' from generate_series(1, 4500) as number;
            select setval('crawl_events_id_seq', 4500);
            analyze crawl_events;
            """);
    }

    /// <summary>Event 3,500 is the cursor, and 4,500 the newest. Three partitions are ahead.</summary>
    [Test]
    public async Task A_read_after_an_id_leaves_older_partitions_out()
    {
        string[] after = ["3000_to_4000", "4000_to_5000"];
        string[] ahead = ["5000_to_6000", "6000_to_7000", "7000_to_8000"];
        foreach (var mode in QueryPlan.Modes)
        {
            await AssertAsync("a look of followers", CrawlEventReader.LookSql, [.. after, .. ahead], "after_id", "3500");
            await AssertAsync("a read of all crawls", CrawlEventReader.ReadAllSql, [.. after, .. ahead], "after_id", "3500", "up_to_id", "4500");
            await AssertAsync(
                "a look of a follower of all crawls", CrawlEventReader.ReadAllSql, ["4000_to_5000", .. ahead], "after_id", "4500", "up_to_id", "4500");
            await AssertAsync("an event", CrawlEventStatements.GetSql, ["3000_to_4000"]);
            await AssertAsync("a count", CrawlEventStatements.CountSql, after, "after_id", "3500", "up_to_id", "4500");

            async Task AssertAsync(string name, string sql, string[] tables, params string[] literals)
            {
                var (_, plan) = await QueryPlan.CountPagesAsync(DataSource, mode, sql, Values, literals);

                var scanned = Regex
                    .Matches(plan, "\"Relation Name\": \"crawl_events_([0-9]+_to_[0-9]+)\".*?\"Actual Loops\": ([0-9]+)", RegexOptions.Singleline)
                    .Where(match => match.Groups[2].Value != "0")
                    .Select(match => match.Groups[1].Value)
                    .ToHashSet();
                Assert.That(scanned, Is.SubsetOf(tables).And.SupersetOf(tables[..1]), $"{name}, {mode}\n{plan}");
            }
        }
    }
}
