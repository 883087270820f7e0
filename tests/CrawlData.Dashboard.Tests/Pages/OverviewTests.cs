using CrawlData.Audits;
using CrawlData.Crawls;

namespace CrawlData.Dashboard.Tests.Pages;

public sealed class OverviewTests : DashboardTest
{
    [Test]
    public async Task It_shows_what_runs_what_failed_and_what_waits()
    {
        await AssertEmptyAsync();
        await InsertRunAsync(CrawlStatus.Running, "org.example.running");
        var stale = await InsertRunAsync(CrawlStatus.Running, "org.example.stale");
        await ExecuteAsync($"update crawl_runs set started_at = started_at - interval '1 hour' where id = '{stale.Id}'");
        await InsertRunAsync(CrawlStatus.Failed, "org.example.failed", error: "no such element\nat line 2");
        await InsertSessionAsync("https://queued.example/");
        await InsertSessionAsync("https://failed.example/", AuditSessionStatus.Failed, "timed out");
        var silent = await InsertSessionAsync("https://silent.example/", AuditSessionStatus.Running);
        await ExecuteAsync($"update audit_sessions set created_at = created_at - interval '1 hour' where id = '{silent.Id}'");

        await using var host = await DashboardHost.StartAsync(DataSource);
        var page = await host.GetPageAsync("");
        var tables = page.QuerySelectorAll("table").Select(table => table.TextContent).ToList();

        Assert.That(
            page.QuerySelectorAll(".tiles a").Select(tile => string.Join(' ', tile.TextContent.Split(default(char[]), StringSplitOptions.RemoveEmptyEntries))),
            Is.EqualTo(new[]
            {
                "0 pending", "2 running", "0 completed", "1 failed", "0 cancelled", "1 queued", "1 running", "0 completed", "1 failed", "0 partial",
            }));
        Assert.That(tables[0], Does.Contain("org.example.running").And.Contain("org.example.stale"));
        Assert.That(page.QuerySelectorAll("table")[0].QuerySelectorAll(".badge-stale"), Has.Length.EqualTo(1));
        Assert.That(tables[1], Does.Contain("https://silent.example/").And.Contain("stale"));
        Assert.That(tables[2], Does.Contain("org.example.failed").And.Contain("no such element …").And.Not.Contain("line 2"));
        Assert.That(tables[3], Does.Contain("https://failed.example/").And.Contain("timed out"));
        Assert.That(page.QuerySelector("main")!.TextContent, Does.Contain("The oldest queued session has waited for"));

        // Each number leads to the list that explains it.
        var failed = await host.GetPageAsync(page.QuerySelectorAll(".tiles a")[3].GetAttribute("href")!);
        Assert.That(failed.QuerySelectorAll("tbody tr"), Has.Length.EqualTo(1));
    }

    private async Task AssertEmptyAsync()
    {
        var page = await Host.GetPageAsync("");

        Assert.That(page.QuerySelectorAll("table"), Is.Empty);
        Assert.That(page.QuerySelectorAll(".empty").Select(text => text.TextContent), Is.EqualTo(new[] { "No run is running.", "Nothing has failed." }));
        Assert.That((await Host.GetPageAsync("runs")).QuerySelector(".empty")!.TextContent, Does.StartWith("There are no runs yet."));
        Assert.That((await Host.GetPageAsync("sessions")).QuerySelector(".empty")!.TextContent, Does.StartWith("There are no sessions yet."));
        Assert.That((await Host.GetPageAsync("artifacts")).QuerySelector(".empty")!.TextContent, Is.EqualTo("No artifact has expired."));
    }

    private async Task ExecuteAsync(string sql)
    {
        await using var command = DataSource.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }
}
