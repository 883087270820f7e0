using CrawlData.Crawls;
using CrawlData.Diagnostics;
using CrawlData.Schema;
using CrawlData.Testing;
using Npgsql;

namespace CrawlData.Tests.Diagnostics;

/// <summary>The checks for an operator. Each state is made for real, and mended by the finding's remedy.</summary>
public sealed class DatabaseDoctorOperationTests : EmptiedDatabaseTest
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    [Test]
    public async Task A_migrated_database_has_no_finding() => Assert.That(await CheckAllAsync(), Is.Empty);

    [Test]
    public async Task Pending_scripts_are_found_and_what_they_make_is_not_read()
    {
        await using var database = await ThrowawayDatabase.StartAsync(new ThrowawayDatabaseOptions { Migrate = false, Logger = TestLog.Instance });
        var doctor = new DatabaseDoctor(database.DataSource);

        var found = (await doctor.CheckAllAsync()).Single();
        Assert.That(
            (found.Check, found.Severity, found.Subject, found.Remedy), Is.EqualTo(("scripts", FindingSeverity.Warning, "the schema", "crawldata migrate")));
        Assert.That(found.Value, Does.StartWith("not up to date: 001_crawl_schema.sql, ").And.EndWith(" pending"));

        await new SchemaMigrator(database.DataSource).MigrateAsync();
        Assert.That(await doctor.CheckAllAsync(), Is.Empty);
    }

    /// <summary>All indexes that the scripts create are looked for. A script that drops one has to change the check.</summary>
    [Test]
    public async Task Each_missing_index_is_found_and_created_again()
    {
        var indexes = await QueryAsync<string>(
            """
            select indexname from pg_indexes
            where tablename in ('crawl_runs', 'crawl_events', 'audit_sessions', 'audit_pages', 'artifacts', 'crawl_logs') and indexname not like '%_pkey'
            order by indexname
            """);
        await ExecuteAsync($"drop index {string.Join(", ", indexes)}");

        var findings = await CheckAllAsync();
        Assert.That(findings.Select(finding => (finding.Subject, finding.Value)).Order(), Is.EqualTo(indexes.Select(name => ($"index {name}", "missing"))));
        Assert.That(findings, Has.All.Property("Check").EqualTo("indexes").And.All.Property("Severity").EqualTo(FindingSeverity.Warning));

        await MendAsync(findings);
        Assert.That(await new SchemaMigrator(DataSource).VerifySchemaAsync(), Is.Empty);
    }

    /// <summary>A build that waits for a transaction, and is given up, leaves an invalid index. So does one of a unique index over equal rows.</summary>
    [Test]
    public async Task An_index_whose_concurrent_build_failed_is_found()
    {
        await Runs.InsertAsync(Enumerable.Repeat(new NewCrawlRun { AppPackage = "org.example.app" }, 2));
        await using (var holder = await DataSource.OpenConnectionAsync())
        {
            await using var transaction = await holder.BeginTransactionAsync();
            await using var writing = new NpgsqlCommand("drop index ix_artifacts_page_id; commit; begin; lock table artifacts in row exclusive mode", holder);
            await writing.ExecuteNonQueryAsync();
            await using var impatient = WithOptions("-c lock_timeout=50");
            await using var building = impatient.CreateCommand("create index concurrently ix_artifacts_page_id on artifacts (page_id)");
            await Assert.ThrowsAsync<PostgresException>(() => building.ExecuteNonQueryAsync());
        }

        await Assert.ThrowsAsync<PostgresException>(() => ExecuteAsync("create unique index concurrently \"Extra\" on crawl_runs (app_package)"));

        var findings = await CheckAllAsync();
        Assert.That(findings.Select(finding => $"{finding.Subject} is {finding.Value}: {finding.Remedy}"), Is.EqualTo(
        [
            "index Extra is invalid: drop index concurrently \"Extra\"",
            "index ix_artifacts_page_id is invalid: reindex index concurrently \"ix_artifacts_page_id\"",
        ]));
        await MendAsync(findings);
    }

    [Test]
    public async Task Dead_rows_that_no_vacuum_removes_are_found()
    {
        await EnqueueAsync();
        await ExecuteAsync(
            """
            alter table crawl_logs set (autovacuum_enabled = off);
            insert into crawl_logs (session_id, level, event_type, message, details)
            select id, 'info', 'navigation', '', '{}' from audit_sessions cross join generate_series(1, 30000)
            """);
        try
        {
            await DeleteAsync(9_000);
            Assert.That(await CheckAllAsync(), Is.Empty, "few are dead");
            await DeleteAsync(9_000);

            // The server counts roughly: other tests' rows may be counted late.
            var found = (await CheckAllAsync()).Single();
            Assert.That((found.Check, found.Severity, found.Subject), Is.EqualTo(("vacuum", FindingSeverity.Warning, "table crawl_logs")));
            Assert.That(found.Value, Does.Match("^at 180[0-9]{2} dead rows beside 120[0-9]{2} live ones, last vacuumed never$"));

            await MendAsync([found]);
        }
        finally
        {
            await ExecuteAsync("alter table crawl_logs reset (autovacuum_enabled); truncate crawl_logs");
        }

        Task DeleteAsync(int rows) => ExecuteAsync(
            $"delete from crawl_logs where id in (select id from crawl_logs limit {rows}); select pg_stat_force_next_flush()");
    }

    [Test]
    public async Task A_table_near_the_wraparound_of_transaction_ids_is_found()
    {
        await ExecuteAsync(
            """
            update pg_class set relfrozenxid = ((pg_current_xact_id()::text::bigint - 1100000000) & 4294967295)::text::xid
            where oid = 'audit_pages'::regclass
            """);

        var found = (await CheckAllAsync()).Single();
        Assert.That((found.Check, found.Severity, found.Subject), Is.EqualTo(("wraparound", FindingSeverity.Warning, "table audit_pages")));
        Assert.That(found.Value, Does.Match("^11000[0-9]{5} transactions old$"));

        await MendAsync([found]);
    }

    [Test]
    public async Task Stale_runs_are_found_with_the_commands_that_end_them()
    {
        var runs = new List<Guid>();
        for (var number = 0; number < 12; number++)
        {
            runs.Add(await CreateCrawlAsync());
            await Runs.StartAsync(runs[^1]);
        }

        await ExecuteAsync("update crawl_runs set started_at = started_at - interval '2 hours'");
        await Events.AppendAsync(runs[0], Event(1));

        var findings = await CheckAllAsync();
        Assert.That(
            findings.Select(finding => $"{finding.Subject}: {finding.Remedy}"),
            Is.EqualTo(runs[1..11].Select(run => $"run {run}: crawldata run fail {run} --error TEXT && crawldata run retry {run}")
                .Append("at least one more run: crawldata runs --stale 60m")));
        Assert.That(findings, Has.All.Property("Check").EqualTo("stale"));
        Assert.That(findings, Has.All.Property("Value").EqualTo("RUNNING, without an event or heartbeat for 01:00:00 or more"));
        Assert.That(await new DatabaseDoctor(DataSource).CheckAllAsync(new DatabaseDoctorOptions { SilentFor = 3 * Hour }), Is.Empty);
        Assert.That(await new DatabaseDoctor(DataSource).CheckAsync(), Is.Empty, "no promise is void");
    }

    [Test]
    public async Task Abandoned_sessions_are_found()
    {
        var (abandoned, alive) = (await EnqueueAsync(), await EnqueueAsync());
        await Queue.StartAsync(abandoned);
        await ExecuteAsync("update audit_sessions set created_at = created_at - @Hour; update crawl_logs set timestamp = timestamp - @Hour", new { Hour });
        await Queue.StartAsync(alive);

        var found = (await CheckAllAsync()).Single();
        Assert.That(
            (found.Check, found.Subject, found.Remedy), Is.EqualTo(("stale", $"session {abandoned}", $"crawldata session release {abandoned}")));

        await Queue.ReleaseAsync(abandoned, 1);
        Assert.That(await CheckAllAsync(), Is.Empty);
    }

    [Test]
    public async Task Artifacts_whose_sweep_is_overdue_are_found()
    {
        var session = await EnqueueAsync();
        var page = await Pages.InsertAsync(session, Page());
        var now = DateTimeOffset.UtcNow;
        var artifacts = new[] { -49, -25, -23, 1 }.Select(hours => Artifact(page.Id, 1_500_000) with { RetentionUntil = now.AddHours(hours) });
        var stored = await Artifacts.InsertAsync(session, artifacts);
        await Artifacts.MarkDeletedAsync(session, [stored[0].Id]);

        var found = (await CheckAllAsync()).Single();
        Assert.That(
            (found.Check, found.Subject, found.Value, found.Remedy),
            Is.EqualTo(("artifacts", "the sweep of artifacts", "overdue: 1 expired more than a day ago (1.5 MB)", "crawldata sweep --root DIR")));
    }

    [Test]
    public async Task A_role_without_rights_is_told_what_was_not_checked()
    {
        var login = $"crawldata_{Guid.NewGuid():N}";
        await ExecuteAsync($"create role {login} login password 'of a test'; grant select on all tables in schema public to {login}");
        await ExecuteAsync($"revoke select on artifacts, crawl_events, crawldata_journal from {login}");
        try
        {
            await using var dataSource = NpgsqlDataSource.Create(
                new NpgsqlConnectionStringBuilder(Database.ConnectionString) { Username = login, Password = "of a test", Pooling = false });

            var findings = await new DatabaseDoctor(dataSource).CheckAllAsync();
            Assert.That(findings.Select(finding => $"{finding.Check}: {finding.Subject}: {finding.Remedy}"), Is.EqualTo(
            [
                $"scripts: table crawldata_journal: grant select on crawldata_journal to {login}",
                $"stale: table crawl_events: grant select on crawl_events to {login}",
                $"artifacts: table artifacts: grant select on artifacts to {login}",
            ]));
            Assert.That(findings, Has.All.Property("Severity").EqualTo(FindingSeverity.Unchecked));

            await ExecuteAsync(string.Join(';', findings.Select(finding => finding.Remedy)));
            Assert.That(await new DatabaseDoctor(dataSource).CheckAllAsync(), Is.Empty);
        }
        finally
        {
            await ExecuteAsync($"drop owned by {login}; drop role {login}");
        }
    }

    private Task<IReadOnlyList<DatabaseFinding>> CheckAllAsync() => new DatabaseDoctor(DataSource).CheckAllAsync();

    private async Task MendAsync(IEnumerable<DatabaseFinding> findings)
    {
        foreach (var finding in findings)
        {
            await ExecuteAsync(finding.Remedy);
        }

        Assert.That(await CheckAllAsync(), Is.Empty);
    }

    private NpgsqlDataSource WithOptions(string options) =>
        NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(Database.ConnectionString) { Options = options });
}
