using CrawlData.Testing;

namespace CrawlData.Tests.Cli;

[Parallelizable(ParallelScope.All)]
public sealed class VerifyCommandTests
{
    private static readonly ThrowawayDatabaseOptions Migrated = new() { Logger = TestLog.Instance };

    [Test]
    public async Task A_matching_schema_is_exit_code_0_without_output()
    {
        await using var database = await ThrowawayDatabase.StartAsync(Migrated);

        var verified = await Tool.RunAsync(database.ConnectionString, "verify");

        Assert.That((verified.ExitCode, verified.Output, verified.Error), Is.EqualTo((0, "", "")));
    }

    [Test]
    public async Task Each_difference_is_a_row_and_the_exit_code_is_3()
    {
        await using var database = await ThrowawayDatabase.StartAsync(Migrated);
        await using var drift = database.DataSource.CreateCommand(
            "drop index ix_artifacts_page_id; alter table crawl_runs alter max_steps set default 7; alter table crawl_logs add host text");
        await drift.ExecuteNonQueryAsync();

        var verified = await Tool.RunAsync(database.ConnectionString, "verify");

        string[] expected =
        [
            """
            {
              "kind": "missing", "element": "index ix_artifacts_page_id",
              "expected": "CREATE INDEX ix_artifacts_page_id ON artifacts USING btree (page_id)", "actual": null
            }
            """,
            """
            {
              "kind": "changed", "element": "column crawl_runs.max_steps",
              "expected": "integer not null default 100", "actual": "integer not null default 7"
            }
            """,
            """{"kind": "extra", "element": "column crawl_logs.host", "expected": null, "actual": "text"}""",
        ];
        Assert.That((verified.ExitCode, verified.Error), Is.EqualTo((3, "")));
        Assert.That(verified.Rows, Is.EqualTo(expected.Select(row => Jsonb.Parse(row))));
    }

    [Test]
    public async Task A_failed_comparison_is_exit_code_1()
    {
        await using var database = await ThrowawayDatabase.StartAsync(Migrated);

        var verified = await Tool.RunAsync(database.ConnectionString + ";Options=-c default_transaction_read_only=on", "verify");

        Assert.That((verified.ExitCode, verified.Output), Is.EqualTo((1, "")));
        Assert.That(verified.Error, Does.StartWith("crawldata: The schema cannot be compared on a standby or in a read-only session"));
    }
}
