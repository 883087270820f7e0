using System.Net;
using CrawlData.Audits;
using CrawlData.Testing;

namespace CrawlData.Dashboard.Tests.Pages;

public sealed class StatusPageTests : DashboardTest
{
    [Test]
    public async Task It_shows_tables_scripts_and_findings()
    {
        await using var unlogged = DataSource.CreateCommand("alter table crawl_logs set unlogged");
        await unlogged.ExecuteNonQueryAsync();

        var page = await Host.GetPageAsync("status");

        Assert.That(
            page.QuerySelector(".findings")!.TextContent, Does.Contain("table crawl_logs is unlogged.").And.Contain("alter table crawl_logs set logged"));
        Assert.That(page.QuerySelectorAll("table")[0].QuerySelectorAll("tbody tr"), Has.Length.EqualTo(6));
        Assert.That(page.QuerySelectorAll("table")[1].TextContent, Does.Contain("001_crawl_schema.sql"));
        Assert.That(await Host.GetTextAsync("api/v1/status"), Does.Contain("\"severity\":\"error\",\"subject\":\"table crawl_logs\""));
    }

    [Test]
    public async Task Totals_of_artifacts_are_shown_with_what_expired()
    {
        var session = await InsertSessionAsync("https://example.org/");
        var audited = await Pages.InsertAsync(session.Id, Page());
        await Artifacts.InsertAsync(session.Id, Artifact(audited.Id, 1_500) with { RetentionUntil = DateTimeOffset.UtcNow.AddDays(-1) });

        await Artifacts.InsertAsync(session.Id, Artifact(audited.Id) with { Type = ArtifactType.HtmlGz, SizeBytes = long.MaxValue });

        await using var host = await DashboardHost.StartAsync(DataSource);
        var page = await host.GetPageAsync("artifacts");

        Assert.That(page.QuerySelector("main p")!.TextContent, Does.StartWith("2 artifacts, 9,223,372,036.9 GB"));
        Assert.That(page.QuerySelector(".warning-box")!.TextContent, Does.StartWith("1 artifact with 1.5 kB"));
        Assert.That(await host.GetTextAsync("api/v1/artifacts"), Does.Contain("""
            "screenshot":{"count":1,"size_bytes":1500}
            """));
    }

    [Test]
    public async Task A_database_without_tables_is_named()
    {
        await using var database = await ThrowawayDatabase.StartAsync(new ThrowawayDatabaseOptions { Migrate = false });
        await using var host = await DashboardHost.StartAsync(database.DataSource);
        foreach (var address in new[] { "", "runs", "sessions", "artifacts" })
        {
            var page = await host.GetPageAsync(address, HttpStatusCode.ServiceUnavailable);
            Assert.That(page.QuerySelector("h1")!.TextContent, Is.EqualTo("The database has no tables of CrawlData"), address);
        }
    }

    [Test]
    public async Task A_database_that_cannot_be_reached_is_named()
    {
        await using var dataSource = Npgsql.NpgsqlDataSource.Create("Host=127.0.0.1;Port=1;Username=nobody;Database=nothing");
        await using var host = await DashboardHost.StartAsync(dataSource);
        foreach (var address in new[] { "", "runs", "status" })
        {
            var page = await host.GetPageAsync(address, HttpStatusCode.ServiceUnavailable);
            Assert.That(page.QuerySelector("h1")!.TextContent, Is.EqualTo("The database cannot be reached"), address);
        }
    }
}
