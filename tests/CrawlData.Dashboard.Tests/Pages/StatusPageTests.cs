using System.Net;
using System.Text.Json;
using AngleSharp.Html.Dom;
using CrawlData.Audits;
using CrawlData.Testing;
using Npgsql;

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
    public async Task It_shows_how_the_schema_differs_from_its_scripts()
    {
        await using var database = await ThrowawayDatabase.StartAsync();
        await using var host = await DashboardHost.StartAsync(database.DataSource);
        await using var changed = await DashboardHost.StartAsync(database.DataSource);
        var matching = await host.GetPageAsync("status");
        await ExecuteAsync(
            database,
            """
            drop index idx_crawl_runs_created_at;
            alter table crawl_events add column "<b>" int;
            alter table audit_sessions alter column attempts set default 7
            """);

        var page = await changed.GetPageAsync("status");
        using var twin = JsonDocument.Parse(await changed.GetTextAsync("api/v1/status"));

        Assert.That(Section(matching, "Schema"), Is.EqualTo("The schema matches its scripts."));
        Assert.That(
            Section(page, "Schema"),
            Does.Contain("missing index idx_crawl_runs_created_atThe scripts make CREATE INDEX idx_crawl_runs_created_at ON")
                .And.Contain("extra column crawl_events.\"<b>\"The database has integer")
                .And.Contain("changed column audit_sessions.attemptsThe scripts make integer not null default 0The database has integer not null default 7"));
        Assert.That(Section(await host.GetPageAsync("status"), "Schema"), Is.EqualTo("The schema matches its scripts."), "it is kept for a minute");
        Assert.That(
            twin.RootElement.GetProperty("schema").GetProperty("differences").EnumerateArray().Select(one => one.GetProperty("kind").GetString()),
            Is.EquivalentTo(new[] { "missing", "changed", "extra" }));
    }

    [Test]
    public async Task A_role_that_may_only_select_gets_the_reason_why_the_schema_is_not_compared([Values] bool readsJournal)
    {
        await using var database = await ThrowawayDatabase.StartAsync();
        var role = $"crawldata_test_{Guid.NewGuid():N}";
        var connection = new NpgsqlConnectionStringBuilder(database.ConnectionString) { Username = role, Password = "of a test" };
        await ExecuteAsync(
            database,
            $"""
            create role {role} login password 'of a test';
            grant select on all tables in schema public to {role};
            {(readsJournal
                ? $"revoke temporary on database \"{connection.Database}\" from public"
                : $"revoke select on crawldata_journal from {role}")}
            """);
        await using (var dataSource = NpgsqlDataSource.Create(connection.ConnectionString))
        {
            await using var host = await DashboardHost.StartAsync(dataSource);
            var page = await host.GetPageAsync("status");
            using var twin = JsonDocument.Parse(await host.GetTextAsync("api/v1/status"));

            const string Reason = "The role needs TEMPORARY on the database and SELECT on crawldata_journal.";
            Assert.That(Section(page, "Schema"), Does.Contain(Reason));
            Assert.That(twin.RootElement.GetProperty("schema").GetProperty("not_compared_because").GetString(), Does.Contain(Reason));
            Assert.That(page.QuerySelectorAll("table")[0].QuerySelectorAll("tbody tr"), Has.Length.EqualTo(6));
        }

        await ExecuteAsync(database, $"drop owned by {role}; drop role {role}");
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
        Assert.That(page.QuerySelector(".warning-box")!.TextContent, Does.Match(@"^1 artifact\s+with 1.5 kB"));
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

    /// <summary>The text between a heading and the next one.</summary>
    private static string Section(IHtmlDocument page, string heading)
    {
        var text = new List<string>();
        for (var next = page.QuerySelectorAll("h2").Single(one => one.TextContent == heading).NextElementSibling;
            next is { LocalName: not "h2" };
            next = next.NextElementSibling)
        {
            text.Add(next.TextContent);
        }

        return string.Join(' ', string.Join(' ', text).Split(default(char[]), StringSplitOptions.RemoveEmptyEntries));
    }

    private static async Task ExecuteAsync(ThrowawayDatabase database, string sql)
    {
        await using var command = database.DataSource.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }
}
