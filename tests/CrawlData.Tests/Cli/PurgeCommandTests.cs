using System.Globalization;
using CrawlData.Audits;

namespace CrawlData.Tests.Cli;

public sealed class PurgeCommandTests : ToolTest
{
    [Test]
    public async Task It_deletes_the_rows_of_deleted_artifacts_ended_sessions_and_ended_crawls()
    {
        var session = await EnqueueAsync();
        var page = await Pages.InsertAsync(session, Page());
        var artifacts = await Artifacts.InsertAsync(session, [Artifact(page.Id, 1), Artifact(page.Id, 2)]);
        await Artifacts.MarkDeletedAsync(session, [artifacts[0].Id]);
        var crawl = await CreateCrawlAsync();
        await Runs.CancelAsync(crawl);
        await Events.AppendAsync(crawl, EventsOf(3));

        var counted = await RunAsync("purge", "--artifacts", "0m", "--sessions", "0d", "--crawls", "0h", "--dry-run");
        var purged = await RunAsync("purge", "--artifacts", "0m", "--sessions", "0d", "--crawls", "0h");

        AssertDone(counted);
        AssertDone(purged);
        string[] expected =
        [
            """{{"table": "artifacts", "dry_run": {0}, "deleted": 1, "rows_below": 0, "left": 0}}""",
            """{{"table": "audit_sessions", "dry_run": {0}, "deleted": 0, "rows_below": 0, "left": 0}}""",
            """{{"table": "crawl_runs", "dry_run": {0}, "deleted": 1, "rows_below": 3, "left": 0}}""",
        ];
        Assert.That(counted.Rows, Is.EqualTo(expected.Select(row => Jsonb.Parse(string.Format(CultureInfo.InvariantCulture, row, "true")))));
        Assert.That(purged.Rows, Is.EqualTo(expected.Select(row => Jsonb.Parse(string.Format(CultureInfo.InvariantCulture, row, "false")))));
        Assert.That(await Artifacts.ListAsync(session, new ArtifactFilter { IncludeDeleted = true }), Has.Count.EqualTo(1));
        Assert.That(await Runs.GetAsync(crawl), Is.Null);
    }

    [TestCase("--sessions 3d --archive there", "--archive needs --crawls, and --parquet needs --archive")]
    [TestCase("", "name the rows to delete, and their age: --artifacts AGE, --sessions AGE, --crawls AGE")]
    [TestCase("--crawls 3", "--crawls takes an age such as 30d, 12h, 5m or 90s, not '3'")]
    [TestCase("--crawls 99999999d", "--crawls takes an age such as 30d, 12h, 5m or 90s, not '99999999d'")]
    public async Task Missing_or_malformed_ages_are_wrong_usage(string arguments, string error) => AssertFailed(
        await RunAsync(["purge", .. arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries)]),
        2,
        $"crawldata: {error}; see crawldata purge --help.");
}
