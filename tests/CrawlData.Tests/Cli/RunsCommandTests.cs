using CrawlData.Crawls;

namespace CrawlData.Tests.Cli;

public sealed class RunsCommandTests : ToolTest
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 23, 12, 0, 0, TimeSpan.Zero);

    // All runs of the database, an hour apart, the newest last.
    private readonly List<string> ids = [];

    [OneTimeSetUp]
    public async Task CreateRunsAsync()
    {
        CrawlStatus[] statuses = [CrawlStatus.Completed, CrawlStatus.Running, CrawlStatus.Failed, CrawlStatus.Running];
        for (var hour = 0; hour < statuses.Length; hour++)
        {
            var run = await Runs.InsertAsync(new NewCrawlRun
            {
                AppPackage = $"org.example.app{hour % 2}",
                Status = statuses[hour],
                CreatedAt = Noon.AddHours(hour),
                StartedAt = statuses[hour] == CrawlStatus.Running ? DateTimeOffset.UtcNow.AddHours(-1) : null,
            });
            ids.Add($"{run.Id}");
        }
    }

    [Test]
    [TestCase("", "3210")]
    [TestCase("--limit 3", "321")]
    [TestCase("--oldest-first --limit 3", "012")]
    [TestCase("--status running", "31")]
    [TestCase("--status FAILED --status COMPLETED", "20")]
    [TestCase("--since 2026-11-23T14:00:00+01:00 --until 2026-11-23T15:00", "21")]
    [TestCase("--until 2026-11-24 --status RUNNING --app org.example.app1 --limit 1", "3")]
    public async Task Filters_select_runs_in_either_order(string filter, string expected)
    {
        var result = await RunAsync(["runs", .. filter.Split(' ', StringSplitOptions.RemoveEmptyEntries)]);

        AssertDone(result);
        Assert.That(result.Column("id"), Is.EqualTo(expected.Select(digit => ids[digit - '0'])));
    }

    /// <summary>The running runs started an hour ago, and have no event.</summary>
    [TestCase("--stale 10m", "13")]
    [TestCase("--stale 10m -n 1", "1")]
    [TestCase("--stale 2h", "")]
    public async Task Running_runs_without_a_sign_of_life_are_listed_oldest_first(string filter, string expected)
    {
        var result = await RunAsync(["runs", .. filter.Split(' ')]);

        AssertDone(result);
        Assert.That(result.Column("id"), Is.EqualTo(expected.Select(digit => ids[digit - '0'])));
    }

    [Test]
    public async Task Stale_runs_are_not_filtered_otherwise() => AssertFailed(
        await RunAsync("runs", "--stale", "10m", "--status", "FAILED"), 2, "crawldata: --stale and --status exclude each other; see crawldata runs --help.");

    [Test]
    public async Task A_run_is_written_with_all_columns()
    {
        var result = await RunAsync("runs", "--status", "FAILED");

        Assert.That(result.Rows.Single(), Is.EqualTo(Jsonb.Parse(
            $$"""
            {
              "id": "{{ids[2]}}", "status": "FAILED", "app_package": "org.example.app0", "device_config": null, "max_steps": 100, "goal": null,
              "created_at": "2026-11-23T14:00:00.000Z", "started_at": null, "completed_at": null, "cancelled_at": null, "error_message": null
            }
            """)));
    }
}
