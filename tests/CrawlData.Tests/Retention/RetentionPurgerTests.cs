using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Retention;
using Npgsql;

namespace CrawlData.Tests.Retention;

public sealed class RetentionPurgerTests : EmptiedDatabaseTest
{
    private static readonly TimeSpan Month = TimeSpan.FromDays(30);

    private static readonly string[] Tables = ["crawl_runs", "crawl_events", "audit_sessions", "audit_pages", "artifacts", "crawl_logs"];

    [OneTimeSetUp]
    public Task WatchTransactionsAsync() => ExecuteAsync(
        $"""
        create table deletions (transaction xid8, table_name text);
        create function note_deletion() returns trigger language plpgsql as
            'begin insert into deletions values (pg_current_xact_id(), tg_table_name); return null; end';
        {string.Concat(Tables.Select(table => $"create trigger note_deletion after delete on {table} for each row execute function note_deletion();"))}
        """);

    [SetUp]
    public Task ForgetAsync() => ExecuteAsync("truncate deletions");

    [Test]
    public async Task Artifacts_marked_before_the_age_are_purged_in_batches()
    {
        var session = await EndedSessionAsync(artifacts: 25, deletedDaysAgo: 31);
        var recent = await EndedSessionAsync(artifacts: 5, deletedDaysAgo: 29);
        var stored = await EndedSessionAsync(artifacts: 5);

        List<PurgeTotal> dry = [], steps = [];
        var would = await Purger.PurgeArtifactsAsync(Month, dryRun: true, progress: new ImmediateProgress<PurgeTotal>(dry.Add));
        Assert.That(await CountAsync("artifacts"), Is.EqualTo(35));
        var total = await Purger.PurgeArtifactsAsync(Month, batchSize: 10, progress: new ImmediateProgress<PurgeTotal>(steps.Add));

        Assert.That(total, Is.EqualTo(new PurgeTotal { Deleted = 25 }));
        Assert.That(would, Is.EqualTo(total));
        Assert.That(dry, Is.EqualTo(new[] { total }));
        Assert.That(steps.Select(step => step.Deleted), Is.EqualTo(new[] { 10, 20, 25 }));
        Assert.That(await Artifacts.ListAsync(session, new ArtifactFilter { IncludeDeleted = true }), Is.Empty);
        Assert.That(await Artifacts.ListAsync(recent, new ArtifactFilter { IncludeDeleted = true }), Has.Count.EqualTo(5));
        Assert.That(await Artifacts.ListAsync(stored), Has.Count.EqualTo(5));
        Assert.That(await LargestTransactionAsync(), Is.EqualTo(10));
    }

    [Test]
    public async Task Old_ended_sessions_are_purged_whole_and_others_stay()
    {
        var old = await EndedSessionAsync(artifacts: 20, deletedDaysAgo: 40, lines: 70);
        var oldToo = await EndedSessionAsync(lines: 3, status: "failed");
        var stored = await EndedSessionAsync(artifacts: 1);
        var running = await EndedSessionAsync(status: "running");
        var queued = await EndedSessionAsync(status: "queued");
        var young = await EndedSessionAsync(daysAgo: 29);
        var loggedLately = await EndedSessionAsync();
        await Logs.AppendAsync(loggedLately, Line(1, DateTimeOffset.UtcNow.AddDays(-29)));

        var dry = await Purger.PurgeSessionsAsync(Month, dryRun: true);
        Assert.That(await Sessions.GetAsync(old), Is.Not.Null);
        var steps = new List<PurgeTotal>();
        var total = await Purger.PurgeSessionsAsync(Month, batchSize: 25, progress: new ImmediateProgress<PurgeTotal>(steps.Add));

        Assert.That(total, Is.EqualTo(new PurgeTotal { Deleted = 2, Rows = 70 + 20 + 1 + 3 + 1, Left = 1 }));
        Assert.That(dry, Is.EqualTo(total));
        Assert.That(steps[^1], Is.EqualTo(total));
        Assert.That(steps, Has.Count.GreaterThan(3));
        Assert.That(await LargestTransactionAsync(), Is.LessThanOrEqualTo(25 + 2));
        Assert.That(
            await QueryAsync<Guid>("select id from audit_sessions"),
            Is.EquivalentTo(new[] { stored, running, queued, young, loggedLately }));
        Assert.That((await Sessions.GetAsync(oldToo), await CountAsync("artifacts")), Is.EqualTo(((AuditSession?)null, 1L)));
    }

    [Test]
    public async Task Sessions_with_stored_artifacts_are_purged_only_when_those_are_abandoned()
    {
        await EndedSessionAsync(artifacts: 12);

        Assert.That((await Purger.PurgeSessionsAsync(Month)).Left, Is.EqualTo(1));
        Assert.That(await Purger.PurgeSessionsAsync(Month, abandonArtifacts: true), Is.EqualTo(new PurgeTotal { Deleted = 1, Rows = 13 }));
        Assert.That(await CountAsync("artifacts"), Is.Zero);
    }

    [Test]
    public async Task More_sessions_than_one_page_are_purged()
    {
        await ExecuteAsync(
            """
            insert into audit_sessions (url, status, created_at, mode, retention_policy, crawl_policy_version, config_snapshot)
            select 'https://example.org/', (array['completed', 'partial', 'failed'])[1 + number % 3]::audit_session_status_enum,
                   now() - interval '40 days' + number / 10 * interval '1 second', 'standard', 'standard', '1', '{}'
            from generate_series(1, 1234) as number
            """);

        Assert.That(await Purger.PurgeSessionsAsync(Month), Is.EqualTo(new PurgeTotal { Deleted = 1_234 }));
    }

    [Test]
    public async Task Old_ended_crawls_are_purged_whole_in_batches_of_events()
    {
        var old = await EndedCrawlAsync(daysAgo: 31, events: 1_234);
        var oldToo = await EndedCrawlAsync(daysAgo: 35, events: 10, status: CrawlStatus.Cancelled);
        var endedLately = (
            await Runs.InsertAsync(new NewCrawlRun { AppPackage = "a", Status = CrawlStatus.Completed, CreatedAt = Ago(50), CompletedAt = Ago(1) })).Id;
        var running = (await Runs.InsertAsync(new NewCrawlRun { AppPackage = "a", Status = CrawlStatus.Running, CreatedAt = Ago(50) })).Id;

        var dry = await Purger.PurgeCrawlsAsync(Month, dryRun: true);
        var total = await Purger.PurgeCrawlsAsync(Month, batchSize: 100);

        Assert.That(total, Is.EqualTo(new PurgeTotal { Deleted = 2, Rows = 1_244 }));
        Assert.That(dry, Is.EqualTo(total));
        Assert.That(await LargestTransactionAsync(), Is.LessThanOrEqualTo(100 + 2));
        Assert.That(
            await QueryAsync<Guid>("select id from crawl_runs"),
            Is.EquivalentTo(new[] { endedLately, running }).And.Not.Contains(old).And.Not.Contains(oldToo));
        Assert.That(await CountAsync("crawl_events"), Is.Zero);
    }

    [Test]
    public async Task A_session_or_crawl_that_gets_new_rows_is_skipped()
    {
        var crawl = await EndedCrawlAsync(daysAgo: 31, events: 5);
        var session = await EndedSessionAsync(lines: 5);
        await using var connection = await DataSource.OpenConnectionAsync();
        await using (var transaction = await connection.BeginTransactionAsync())
        {
            await Events.AppendAsync(crawl, Event(1), transaction);
            await Logs.AppendAsync(session, Line(1), transaction);

            Assert.That((await Purger.PurgeCrawlsAsync(Month)).Left, Is.EqualTo(1));
            Assert.That((await Purger.PurgeSessionsAsync(Month)).Left, Is.EqualTo(1));
            await transaction.CommitAsync();
        }

        Assert.That(await Events.CountAsync(crawl), Is.EqualTo(6));
        Assert.That((await Logs.ListAsync(session)).Items, Has.Count.EqualTo(6));
    }

    [Test]
    public async Task A_purge_interrupted_at_random_and_repeated_purges_exactly_the_old_rows()
    {
        var random = new Random(7);
        for (var number = 0; number < 20; number++)
        {
            await EndedCrawlAsync(daysAgo: 31, events: 300);
            await EndedSessionAsync(artifacts: 30, deletedDaysAgo: 31, lines: 100);
        }

        var kept = await EndedCrawlAsync(daysAgo: 1, events: 300);
        var cuts = 0;
        for (var ended = false; !ended;)
        {
            try
            {
                await Purger.PurgeCrawlsAsync(Month, batchSize: 100, progress: new ImmediateProgress<PurgeTotal>(_ => Cut()));
                await Purger.PurgeSessionsAsync(Month, batchSize: 100, progress: new ImmediateProgress<PurgeTotal>(_ => Cut()));
                ended = true;
            }
            catch (TimeoutException)
            {
                cuts++;
            }
        }

        Assert.That(cuts, Is.GreaterThan(3));
        Assert.That(await QueryAsync<Guid>("select id from crawl_runs"), Is.EqualTo(new[] { kept }));
        Assert.That((await Events.CountAsync(kept), await CountAsync("audit_sessions"), await CountAsync("crawl_logs")), Is.EqualTo((300L, 0L, 0L)));

        void Cut()
        {
            if (random.Next(12) == 0)
            {
                throw new TimeoutException();
            }
        }
    }

    /// <summary>Goes red without the index on artifacts (page_id): each of the pages then reads all artifacts.</summary>
    [Test]
    public async Task Purging_a_session_reads_only_its_own_rows()
    {
        await ExecuteAsync(
            """
            insert into audit_sessions (url, status, mode, retention_policy, crawl_policy_version, config_snapshot)
            select 'https://example.org/' || number, 'completed', 'standard', 'standard', '1', '{}' from generate_series(1, 250) as number;
            insert into audit_pages (session_id, page_type, viewport, status, load_timings, low_confidence_reasons)
            select id, 'pdp', 'mobile', 'ok', '{}', '[]' from audit_sessions, generate_series(1, 100);
            insert into artifacts (session_id, page_id, type, storage_uri, size_bytes)
            select session_id, id, 'screenshot', 's3://audits/' || number, 1 from audit_pages, generate_series(1, 4) as number;
            analyze audit_sessions, audit_pages, artifacts;
            """);
        var id = (await QueryAsync<Guid>("select id from audit_sessions limit 1"))[0];
        await using var connection = await DataSource.OpenConnectionAsync();
        var before = await ReadRowsAsync(connection);

        var watch = System.Diagnostics.Stopwatch.StartNew();
        await using (var delete = new NpgsqlCommand($"delete from audit_sessions where id = '{id}'", connection))
        {
            await delete.ExecuteNonQueryAsync();
        }

        TestContext.Out.WriteLine($"{watch.Elapsed.TotalMilliseconds:0} ms for 1 session, 100 pages and 400 artifacts, of 100,000 artifacts");
        Assert.That(await ReadRowsAsync(connection) - before, Is.Zero);
        Assert.That(await CountAsync("artifacts"), Is.EqualTo(99_600));
    }

    /// <summary>Returns the number of rows that sequential scans have read from the audit tables.</summary>
    private static async Task<long> ReadRowsAsync(NpgsqlConnection connection)
    {
        await using (var flush = new NpgsqlCommand("select pg_stat_force_next_flush()", connection))
        {
            await flush.ExecuteNonQueryAsync();
        }

        await using var read = new NpgsqlCommand(
            "select sum(seq_tup_read)::bigint from pg_stat_user_tables where relname in ('artifacts', 'audit_pages', 'crawl_logs')", connection);
        return (long)(await read.ExecuteScalarAsync())!;
    }

    private async Task<Guid> EndedSessionAsync(int artifacts = 0, int? deletedDaysAgo = null, int lines = 0, string status = "completed", int daysAgo = 40)
    {
        var session = (await Sessions.InsertAsync(Session() with { CreatedAt = Ago(daysAgo) })).Id;
        var page = (await Pages.InsertAsync(session, Page())).Id;
        await Artifacts.InsertAsync(session, Enumerable.Range(1, artifacts).Select(number => Artifact(page, number)));
        await Logs.AppendAsync(session, Enumerable.Range(1, lines).Select(number => Line(number, Ago(daysAgo))));
        await ExecuteAsync(
            """
            update audit_sessions set status = @status::audit_session_status_enum where id = @session;
            update artifacts set deleted_at = now() - @deletedDaysAgo * interval '1 day' where session_id = @session
            """,
            new { session, status, deletedDaysAgo });
        return session;
    }

    private async Task<Guid> EndedCrawlAsync(int daysAgo, int events, CrawlStatus status = CrawlStatus.Completed)
    {
        var crawl = (await Runs.InsertAsync(new NewCrawlRun { AppPackage = "a", Status = status, CreatedAt = Ago(daysAgo + 1), CompletedAt = Ago(daysAgo) }))
            .Id;
        await Events.AppendAsync(crawl, EventsOf(events).Select(crawlEvent => crawlEvent with { CreatedAt = Ago(daysAgo) }));
        return crawl;
    }

    private static DateTimeOffset Ago(int days) => DateTimeOffset.UtcNow.AddDays(-days);

    private async Task<long> CountAsync(string table) => (await QueryAsync<long>($"select count(*) from {table}"))[0];

    private async Task<long> LargestTransactionAsync() =>
        (await QueryAsync<long>("select max(rows) from (select count(*) as rows from deletions group by transaction) as transactions"))[0];
}
