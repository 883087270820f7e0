using CrawlData.Crawls;
using CrawlData.Testing;

namespace CrawlData.Tests.Cli;

public sealed class DoctorCommandTests : ToolTest
{
    [Test]
    public async Task A_sound_database_is_exit_code_0_without_output() => AssertDone(await RunAsync("doctor"));

    [Test]
    public async Task Each_finding_is_a_row_and_the_exit_code_is_3()
    {
        var examined = await Tool.RunAsync(Database.ConnectionString + ";Options=-c synchronous_commit=off", "doctor");

        Assert.That((examined.ExitCode, examined.Error), Is.EqualTo((3, "")));
        Assert.That(examined.Rows, Is.EqualTo(new[]
        {
            Jsonb.Parse(
                """
                {
                  "check": "settings", "severity": "error", "subject": "synchronous_commit", "value": "off",
                  "effect": "A crash of the server can lose acknowledged rows, and a reader of all crawls can miss events.",
                  "remedy": "remove synchronous_commit from the connection string"
                }
                """),
        }));
    }

    [Test]
    public async Task A_stale_run_is_found_after_a_time_of_one_s_own_and_can_be_ignored()
    {
        await using var database = await ThrowawayDatabase.StartAsync(new ThrowawayDatabaseOptions { Logger = TestLog.Instance });
        var run = await new CrawlRunRepository(database.DataSource).InsertAsync(
            new NewCrawlRun { AppPackage = "org.example.app", Status = CrawlStatus.Running, StartedAt = DateTimeOffset.UtcNow.AddHours(-2) });

        var found = await Tool.RunAsync(database.ConnectionString, "doctor", "--stale", "1h", "--table");
        Assert.That((found.ExitCode, found.Error), Is.EqualTo((3, "")));
        Assert.That(found.Output.ReplaceLineEndings("\n"), Is.EqualTo(
            $"""
            warning: stale: run {run.Id} is RUNNING, without an event or heartbeat for 01:00:00 or more
              Its worker is gone or stuck, and nothing has ended it.
              crawldata run fail {run.Id} --error TEXT && crawldata run retry {run.Id}

            """));
        AssertDone(await Tool.RunAsync(database.ConnectionString, "doctor", "--stale", "3h"));
        AssertDone(await Tool.RunAsync(database.ConnectionString, "doctor", "--ignore", "vacuum,stale"));
        AssertFailed(
            await Tool.RunAsync(database.ConnectionString, "doctor", "--ignore", "stake"),
            2,
            "crawldata: --ignore takes one of settings, tables, rights, journals, sequences, partitions, scripts, indexes, vacuum, wraparound, standbys, "
            + "slots, citus, stale, artifacts, not 'stake'; see crawldata doctor --help.");
    }
}
