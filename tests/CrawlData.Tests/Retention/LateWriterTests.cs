using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Retention;
using Npgsql;

namespace CrawlData.Tests.Retention;

/// <summary>Writers that store rows while a purge, a sweep or a rescue runs. The statement that locks has its snapshot already.</summary>
public sealed class LateWriterTests : EmptiedDatabaseTest
{
    private const string ReadCommitted = "read committed";
    private const string RepeatableRead = "repeatable read";
    private const string Serializable = "serializable";

    private static readonly TimeSpan Month = TimeSpan.FromDays(30);

    [Test]
    public async Task A_session_stays_whose_artifact_is_stored_while_a_purge_locks_it([Values(ReadCommitted, RepeatableRead, Serializable)] string isolation)
    {
        var (session, page) = await EndedSessionAsync();

        var total = await PurgeAsync(
            "audit_sessions", isolation, purger => purger.PurgeSessionsAsync(Month), () => Artifacts.InsertAsync(session, Artifact(page)));

        Assert.That(total, Is.EqualTo(new PurgeTotal { Left = 1 }));
        Assert.That(await Artifacts.ListAsync(session), Has.Count.EqualTo(1));
    }

    [Test]
    public async Task A_session_is_purged_with_its_late_artifact_when_artifacts_are_to_be_abandoned()
    {
        var (session, page) = await EndedSessionAsync();

        var total = await PurgeAsync(
            "audit_sessions",
            ReadCommitted,
            purger => purger.PurgeSessionsAsync(Month, abandonArtifacts: true),
            () => Artifacts.InsertAsync(session, Artifact(page)));

        Assert.That(total, Is.EqualTo(new PurgeTotal { Deleted = 1, Rows = 2 }));
    }

    [Test]
    public async Task A_session_stays_whose_log_gets_a_line_while_a_purge_locks_it([Values(ReadCommitted, RepeatableRead, Serializable)] string isolation)
    {
        var (session, _) = await EndedSessionAsync();

        var total = await PurgeAsync("audit_sessions", isolation, purger => purger.PurgeSessionsAsync(Month), () => Logs.AppendAsync(session, Line(1)));

        Assert.That(total, Is.EqualTo(new PurgeTotal { Left = 1 }));
        Assert.That((await Logs.ListAsync(session)).Items, Has.Count.EqualTo(1));
    }

    [Test]
    public async Task A_session_stays_that_is_queued_again_while_a_purge_locks_it([Values(ReadCommitted, RepeatableRead, Serializable)] string isolation)
    {
        var (session, _) = await EndedSessionAsync("failed");

        var total = await PurgeAsync("audit_sessions", isolation, purger => purger.PurgeSessionsAsync(Month), () => Queue.RequeueAsync(session));

        Assert.That(total, Is.EqualTo(new PurgeTotal { Left = 1 }));
        Assert.That((await Sessions.GetAsync(session))!.Status, Is.EqualTo(AuditSessionStatus.Queued));
    }

    [Test]
    public async Task A_crawl_stays_that_gets_an_event_while_a_purge_locks_it([Values(ReadCommitted, RepeatableRead, Serializable)] string isolation)
    {
        var crawl = await EndedCrawlAsync();

        var total = await PurgeAsync("crawl_runs", isolation, purger => purger.PurgeCrawlsAsync(Month), () => Events.AppendAsync(crawl, Event(1)));

        Assert.That(total, Is.EqualTo(new PurgeTotal { Left = 1 }));
        Assert.That(await Events.CountAsync(crawl), Is.EqualTo(1));
    }

    [TestCase("completed_at = now() at time zone 'utc'")]
    [TestCase("created_at = now() at time zone 'utc'")]
    [TestCase("status = 'RUNNING'")]
    public async Task A_crawl_stays_whose_row_changes_while_a_purge_locks_it(string change)
    {
        var crawl = await EndedCrawlAsync();

        var total = await PurgeAsync(
            "crawl_runs",
            Serializable,
            purger => purger.PurgeCrawlsAsync(Month),
            () => ExecuteAsync($"update crawl_runs set {change} where id = @crawl", new { crawl }));

        Assert.That(total, Is.EqualTo(new PurgeTotal { Left = 1 }));
        Assert.That(await Runs.GetAsync(crawl), Is.Not.Null);
    }

    [Test]
    public async Task A_crawl_with_a_late_event_is_as_old_as_that_event()
    {
        var (crawl, other) = (await EndedCrawlAsync(), await EndedCrawlAsync());
        await Events.AppendAsync(crawl, Event(1) with { CreatedAt = DateTimeOffset.UtcNow.AddDays(-29) });
        await Events.AppendAsync(other, Event(1) with { CreatedAt = DateTimeOffset.UtcNow.AddDays(-31) });

        var dry = await Purger.PurgeCrawlsAsync(Month, dryRun: true);
        var total = await Purger.PurgeCrawlsAsync(Month);

        Assert.That(total, Is.EqualTo(new PurgeTotal { Deleted = 1, Rows = 1 }));
        Assert.That(dry, Is.EqualTo(total));
        Assert.That((await Events.CountAsync(crawl), await Runs.GetAsync(other)), Is.EqualTo((1L, (CrawlRun?)null)));
    }

    [Test]
    public async Task An_artifact_stays_that_is_stored_again_while_a_purge_locks_it([Values(ReadCommitted, RepeatableRead, Serializable)] string isolation)
    {
        var (session, page) = await EndedSessionAsync();
        var artifact = await Artifacts.InsertAsync(session, Artifact(page));
        await ExecuteAsync("update artifacts set deleted_at = now() - interval '31 days'");

        var total = await PurgeAsync(
            "artifacts", isolation, purger => purger.PurgeArtifactsAsync(Month), () => ExecuteAsync("update artifacts set deleted_at = null"));

        Assert.That(total, Is.EqualTo(new PurgeTotal()));
        Assert.That(await Artifacts.GetAsync(session, artifact.Id), Is.Not.Null);
    }

    [Test]
    public async Task An_artifact_stays_whose_retention_is_extended_while_a_sweep_locks_it(
        [Values(ReadCommitted, RepeatableRead, Serializable)] string isolation)
    {
        var (session, page) = await EndedSessionAsync();
        await Artifacts.InsertAsync(session, Artifact(page) with { RetentionUntil = DateTimeOffset.UnixEpoch });
        var expired = new List<ExpiredArtifact>();
        var store = new DelegateStore((batch, _) =>
        {
            expired.AddRange(batch);
            return Task.FromResult(batch);
        });

        await RunAsync(
            "artifacts",
            isolation,
            gated => new ArtifactSweeper(gated).SweepAsync(store),
            () => ExecuteAsync("update artifacts set retention_until = now() + interval '1 day'"));

        Assert.That(expired, Is.Empty);
        Assert.That((await Artifacts.ListAsync(session)).Single().DeletedAt, Is.Null);
    }

    [Test]
    public async Task A_session_is_not_rescued_whose_worker_writes_a_line_while_a_rescue_locks_it(
        [Values(ReadCommitted, RepeatableRead, Serializable)] string isolation, [Values] bool inATransactionOfTheCaller)
    {
        var session = await SilentSessionAsync();

        var rescued = await RunAsync(
            "audit_sessions", isolation, gated => RescueAsync(gated, inATransactionOfTheCaller), () => Logs.AppendAsync(session.Id, Line(1)));

        Assert.That(rescued, Is.Empty);
        Assert.That((await Queue.CompleteAsync(session.Id, session.Attempts)).Outcome, Is.EqualTo(TransitionOutcome.Applied));
    }

    [Test]
    public async Task A_session_is_not_rescued_that_begins_another_attempt_while_a_rescue_locks_it(
        [Values(ReadCommitted, RepeatableRead, Serializable)] string isolation, [Values] bool inATransactionOfTheCaller)
    {
        var session = await SilentSessionAsync();

        var rescued = await RunAsync("audit_sessions", isolation, gated => RescueAsync(gated, inATransactionOfTheCaller), async () =>
        {
            await Queue.FailAsync(session.Id, session.Attempts, "no route");
            await Queue.RequeueAsync(session.Id);
            (await Queue.StartAsync(session.Id)).EnsureApplied();
        });

        Assert.That(rescued, Is.Empty);
        Assert.That((await Sessions.GetAsync(session.Id))!.Status, Is.EqualTo(AuditSessionStatus.Running));
    }

    /// <summary>Without a gate: purges and writers run at the same time, over the same sessions. A check reads a session's swept artifacts, so it takes a
    /// while.</summary>
    [Test]
    public async Task No_artifact_that_is_stored_during_purges_is_lost()
    {
        const int SessionCount = 200;
        await ExecuteAsync(
            """
            insert into audit_sessions (id, url, status, created_at, mode, retention_policy, crawl_policy_version, config_snapshot)
            select gen_random_uuid(), 'https://example.org/', 'completed', now() - interval '40 days' + number * interval '1 second', 'standard', 'standard',
                   '1', '{}'
            from generate_series(1, @SessionCount) as number;
            insert into audit_pages (id, session_id, page_type, viewport, status, load_timings, low_confidence_reasons)
            select id, id, 'pdp', 'mobile', 'ok', '{}', '[]' from audit_sessions;
            insert into artifacts (session_id, page_id, type, storage_uri, size_bytes, deleted_at)
            select id, id, 'screenshot', 's3://audits/swept.png', 1, now() from audit_sessions, generate_series(1, 200);
            """,
            new { SessionCount });
        var sessions = (await QueryAsync<Guid>("select id from audit_sessions")).ToArray();
        new Random(13).Shuffle(sessions);
        var stored = new List<Guid>();

        var writing = Task.WhenAll(sessions.Skip(10).Chunk(SessionCount / 4).Select(chunk => Task.Run(() => WriteAsync(chunk))));
        do
        {
            await Purger.PurgeSessionsAsync(Month, batchSize: 1_000);
        }
        while (!writing.IsCompleted);
        await writing;
        await Purger.PurgeSessionsAsync(Month);

        Assert.That(stored.Except(await QueryAsync<Guid>("select session_id from artifacts where deleted_at is null")), Is.Empty, "lost with their sessions");
        Assert.That((await QueryAsync<Guid>("select id from audit_sessions")).Except(stored), Is.Empty, "not purged");

        async Task WriteAsync(Guid[] chunk)
        {
            foreach (var session in chunk)
            {
                try
                {
                    await Artifacts.InsertAsync(session, Artifact(session));
                    lock (stored)
                    {
                        stored.Add(session);
                    }
                }
                catch (Exception exception) when (exception is RowNotFoundException or PostgresException { SqlState: PostgresErrorCodes.ForeignKeyViolation })
                {
                    // The session was purged before.
                }
            }
        }
    }

    private Task<PurgeTotal> PurgeAsync(string table, string isolation, Func<RetentionPurger, Task<PurgeTotal>> purge, Func<Task> write) =>
        RunAsync(table, isolation, gated => purge(new RetentionPurger(gated)), write);

    /// <summary>Runs work of a role, and a writer between the snapshot and the locks of the work's locking statement.</summary>
    private async Task<T> RunAsync<T>(string table, string isolation, Func<NpgsqlDataSource, Task<T>> work, Func<Task> write)
    {
        await using var gate = await LockingStatementGate.CloseAsync(DataSource, Database.ConnectionString, table, isolation);
        var working = work(gate.DataSource);
        await gate.UntilReachedAsync();
        await write();
        await gate.OpenAsync();
        return await working;
    }

    private static async Task<IReadOnlyList<AuditSession>> RescueAsync(NpgsqlDataSource dataSource, bool inATransactionOfTheCaller)
    {
        var queue = new AuditSessionQueue(dataSource);
        if (!inATransactionOfTheCaller)
        {
            return await queue.RescueStaleAsync(Month, maxAttempts: 3);
        }

        await using var connection = await dataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        var rescued = await queue.RescueStaleAsync(Month, maxAttempts: 3, transaction: transaction);
        await transaction.CommitAsync();
        return rescued;
    }

    private async Task<AuditSession> SilentSessionAsync()
    {
        var id = await EnqueueAsync();
        var session = (await Queue.StartAsync(id)).EnsureApplied();
        await ExecuteAsync(
            """
            insert into crawl_log_marks (marked_at, log_id) select clock_timestamp() - interval '60 days', max(id) from crawl_logs
            """);
        return session;
    }

    private async Task<(Guid Session, Guid Page)> EndedSessionAsync(string status = "completed")
    {
        var session = (await Sessions.InsertAsync(Session() with { CreatedAt = DateTimeOffset.UtcNow.AddDays(-40) })).Id;
        var page = (await Pages.InsertAsync(session, Page())).Id;
        await ExecuteAsync("update audit_sessions set status = @status::audit_session_status_enum where id = @session", new { session, status });
        return (session, page);
    }

    private async Task<Guid> EndedCrawlAsync()
    {
        var now = DateTimeOffset.UtcNow;
        var run = new NewCrawlRun { AppPackage = "a", Status = CrawlStatus.Completed, CreatedAt = now.AddDays(-41), CompletedAt = now.AddDays(-40) };
        return (await Runs.InsertAsync(run)).Id;
    }
}
