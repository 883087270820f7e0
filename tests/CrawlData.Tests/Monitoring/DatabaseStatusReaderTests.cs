using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Diagnostics;
using CrawlData.Tests.Schema;
using Npgsql;

namespace CrawlData.Tests.Diagnostics;

public sealed class DatabaseStatusReaderTests : EmptiedDatabaseTest
{
    private static readonly string[] Tables = ["crawl_runs", "crawl_events", "audit_sessions", "audit_pages", "artifacts", "crawl_logs"];

    [Test]
    public async Task An_empty_database_reports_zero_counts()
    {
        var status = await new DatabaseStatusReader(DataSource).ReadAsync();

        Assert.That(status.Runs, Is.EquivalentTo(Enum.GetValues<CrawlStatus>().ToDictionary(each => each, _ => 0L)));
        Assert.That(status.Sessions, Is.EquivalentTo(Enum.GetValues<AuditSessionStatus>().ToDictionary(each => each, _ => 0L)));
        Assert.That((status.OldestRuns.Count, status.OldestSessions.Count, status.ExpiredArtifacts, status.OldestExpiry, status.NewestEventId),
            Is.EqualTo((0, 0, new ArtifactTotal(), (DateTimeOffset?)null, (long?)null)));
        Assert.That(status.Tables.Select(table => table.Table), Is.EqualTo(Tables));
        Assert.That(status.Tables.Select(table => table.EstimatedRows), Is.All.Null, "never analyzed");
    }

    [Test]
    public async Task A_status_reports_counts_and_oldest_unfinished_work()
    {
        var before = await new DatabaseStatusReader(DataSource).ReadAsync();
        var old = before.ReadAt.AddDays(-3);
        var running = await Runs.InsertAsync(new NewCrawlRun { AppPackage = "a", Status = CrawlStatus.Running, CreatedAt = old });
        await Runs.InsertAsync(new NewCrawlRun { AppPackage = "a", Status = CrawlStatus.Running, CreatedAt = old.AddDays(1) });
        await Runs.InsertAsync(new NewCrawlRun { AppPackage = "a", Status = CrawlStatus.Completed, CreatedAt = old.AddDays(-1) });
        var ids = await Events.AppendAsync(running.Id, EventsOf(5));
        await Sessions.InsertAsync(Session() with { CreatedAt = old.AddDays(1) });
        var queued = await Sessions.InsertAsync(Session() with { CreatedAt = old });
        var page = await Pages.InsertAsync(queued.Id, Page());
        var artifacts = await Artifacts.InsertAsync(queued.Id,
        [
            Artifact(page.Id, 10) with { RetentionUntil = old },
            Artifact(page.Id, 20) with { RetentionUntil = old.AddHours(1) },
            Artifact(page.Id, 40) with { RetentionUntil = old.AddHours(-1) },
            Artifact(page.Id, 80),
        ]);
        await Artifacts.MarkDeletedAsync(queued.Id, [artifacts[2].Id]);
        await ExecuteAsync("analyze crawl_events");

        var status = await new DatabaseStatusReader(DataSource).ReadAsync();

        Assert.That(status.ReadAt, Is.EqualTo(DateTimeOffset.UtcNow).Within(TimeSpan.FromMinutes(1)).And.Property("Offset").EqualTo(TimeSpan.Zero));
        Assert.That((status.ServerVersion, status.IsStandby, status.Schema), Is.EqualTo((await ScalarAsync<string>("show server_version"), false, "public")));
        Assert.That(status.Scripts!.Select(script => script.Script), Is.EqualTo(MigratorTest.AllScripts));
        Assert.That(status.Scripts!.Select(script => script.AppliedAt), Is.All.EqualTo(status.ReadAt).Within(TimeSpan.FromMinutes(30)));
        Assert.That((status.Runs[CrawlStatus.Running], status.Runs[CrawlStatus.Completed], status.Runs[CrawlStatus.Pending]), Is.EqualTo((2, 1, 0)));
        Assert.That(status.OldestRuns.Keys, Is.EqualTo(new[] { CrawlStatus.Running }));
        AssertOldest(status, status.OldestRuns[CrawlStatus.Running], running.Id, running.CreatedAt);
        Assert.That(status.Sessions[AuditSessionStatus.Queued], Is.EqualTo(2));
        Assert.That(status.OldestSessions.Keys, Is.EqualTo(new[] { AuditSessionStatus.Queued }));
        AssertOldest(status, status.OldestSessions[AuditSessionStatus.Queued], queued.Id, queued.CreatedAt);
        Assert.That(status.ExpiredArtifacts, Is.EqualTo(new ArtifactTotal { Count = 2, SizeBytes = 30 }));
        Assert.That(status.OldestExpiry, Is.EqualTo(artifacts[0].RetentionUntil));
        Assert.That(status.NewestEventId, Is.EqualTo(ids[^1]));
        var events = status.Tables.Single(table => table.Table == "crawl_events");
        Assert.That((events.EstimatedRows, events.SizeBytes, events.IndexBytes), Is.EqualTo((
            5,
            await ScalarAsync<long>("select pg_total_relation_size('crawl_events')"),
            await ScalarAsync<long>("select pg_relation_size('crawl_events_pkey') + pg_relation_size('idx_crawl_events_crawl_id')"))));
    }

    [Test]
    public async Task Pending_scripts_have_no_time_and_scripts_of_a_newer_version_are_reported()
    {
        await ExecuteAsync("update crawldata_journal set script_name = '999_newer.sql' where script_name like '003%'");

        var status = await new DatabaseStatusReader(DataSource).ReadAsync();

        await ExecuteAsync("update crawldata_journal set script_name = '003_retention_indexes.sql' where script_name like '999%'");
        Assert.That(status.Scripts!.Select(script => script.Script), Is.EqualTo(MigratorTest.AllScripts.Append("999_newer.sql")));
        Assert.That(status.Scripts!.Single(script => script.AppliedAt is null).Script, Is.EqualTo("003_retention_indexes.sql"));
    }

    /// <summary>The roles of an application, and a read-only session such as a standby's.</summary>
    [Test]
    public async Task The_right_to_read_the_tables_suffices_and_scripts_are_null_without_the_journal_s()
    {
        var role = $"crawldata_reader_{Guid.NewGuid():N}";
        await ExecuteAsync($"create role {role} login password 'of the reader'; grant select on {string.Join(", ", Tables)} to {role}");
        try
        {
            await using var source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(Database.ConnectionString)
            {
                Username = role,
                Password = "of the reader",
                Options = "-c default_transaction_read_only=on",
            });

            var status = await new DatabaseStatusReader(source).ReadAsync();

            Assert.That(status.Scripts, Is.Null);
            Assert.That(status.Tables.Select(table => table.SizeBytes), Is.All.Positive);
        }
        finally
        {
            await ExecuteAsync($"drop owned by {role}; drop role {role}");
        }
    }

    private static void AssertOldest(DatabaseStatus status, UnfinishedWork work, Guid id, DateTimeOffset createdAt) =>
        Assert.That((work.Id, work.CreatedAt, work.Age), Is.EqualTo((id, createdAt, status.ReadAt - createdAt)));

    private async Task<T> ScalarAsync<T>(string sql) => (await QueryAsync<T>(sql)).Single();
}
