using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Schema;
using CrawlData.Tests.Schema;
using Npgsql;

namespace CrawlData.Tests;

public sealed class ReadmeTests : MigratorTest
{
    [Test]
    public async Task The_README_s_twenty_lines_work()
    {
        await RunAsync(Database.ConnectionString);

        var run = (await new CrawlRunRepository(DataSource).ListAsync()).Items.Single();
        Assert.That(run.Status, Is.EqualTo(CrawlStatus.Completed));
        Assert.That(await new CrawlEventRepository(DataSource).CountAsync(run.Id), Is.EqualTo(1));
    }

    [Test]
    public void The_README_s_twenty_lines_are_those_that_are_tested()
    {
        var tested = Readme.Between(Readme.Resource("ReadmeTests.cs"), "// README" + " begins", "// README" + " ends");
        var shown = Readme.Block("csharp", 0)
            .Where(line => !line.StartsWith("using ", StringComparison.Ordinal) && !line.StartsWith("var connectionString ", StringComparison.Ordinal)).ToList();

        Assert.That(shown, Is.EqualTo(tested).And.Not.Empty);
    }

    [Test]
    public async Task The_README_s_further_lines_work()
    {
        await new SchemaMigrator(DataSource).MigrateAsync();
        var runs = new CrawlRunRepository(DataSource);
        var events = new CrawlEventRepository(DataSource);
        var run = await runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app", Status = CrawlStatus.Running });
        var step = new NewCrawlEvent { EventType = "step", Payload = Jsonb.Parse("{}") };

        await FurtherAsync(DataSource, runs, events, run, step, step, step, step with { EventType = "last" }, "a\0b");

        Assert.That((await runs.GetAsync(run.Id))!.Status, Is.EqualTo(CrawlStatus.Completed));
        Assert.That((await events.StreamAsync(run.Id).ToListAsync()).Select(stored => stored.EventType), Is.EqualTo(Enumerable.Repeat("step", 6).Append("last")));
    }

    [Test]
    public void The_README_s_further_lines_are_those_that_are_tested()
    {
        var tested = Readme.Between(Readme.Resource("ReadmeTests.cs"), "// README" + " goes on", "// README" + " pauses");

        Assert.That(Readme.Block("csharp", 1), Is.EqualTo(tested).And.Not.Empty);
    }

    [Test]
    public async Task The_README_s_audit_works()
    {
        await new SchemaMigrator(DataSource).MigrateAsync();

        await AuditAsync(DataSource);

        var sessions = new AuditSessionRepository(DataSource);
        var session = (await sessions.ListAsync()).Items.Single();
        Assert.That((session.Status, session.FinalUrl), Is.EqualTo((AuditSessionStatus.Completed, "https://example.org/home")));
        Assert.That((await new AuditPageRepository(DataSource).ListAsync(session.Id)).Single().Status, Is.EqualTo(PageStatus.Ok));
        Assert.That((await new ArtifactRepository(DataSource).ListAsync(session.Id)).Single().RetentionUntil, Is.EqualTo(DateTimeOffset.UtcNow.AddDays(90)).Within(TimeSpan.FromMinutes(1)));
        Assert.That((await new CrawlLogRepository(DataSource).ListAsync(session.Id)).Items, Has.Count.EqualTo(2));
    }

    [Test]
    public void The_README_s_audit_is_the_one_that_is_tested()
    {
        var tested = Readme.Between(Readme.Resource("ReadmeTests.cs"), "// README" + " audits", "// README" + " has audited");

        Assert.That(
            Readme.Block("csharp", 2).Where(line => !line.StartsWith("using ", StringComparison.Ordinal)), Is.EqualTo(tested).And.Not.Empty);
    }

    /// <summary>Those of which only the packages' own tests make programs: they take them from the README themselves.</summary>
    private static readonly string[] RunFromPackages = ["builder.Services.AddSingleton(NpgsqlDataSource", "var builder = WebApplication", "await using var database"];

    [Test]
    public void All_the_README_s_CSharp_is_run_by_a_test()
    {
        var tested = new[] { "ReadmeTests.cs", "RecipeTests.cs", "TelemetryTests.cs" }.SelectMany(Readme.Regions).Select(lines => string.Join('\n', lines)).ToList();
        var shown = Readme.Blocks("csharp").Select(lines => string.Join('\n', lines))
            .Where(block => !RunFromPackages.Any(start => block.StartsWith(start, StringComparison.Ordinal))).ToList();

        Assert.That(shown, Is.EquivalentTo(tested));
    }

    private static async Task AuditAsync(NpgsqlDataSource dataSource)
    {
        // README audits
        var sessions = new AuditSessionRepository(dataSource);
        var pages = new AuditPageRepository(dataSource);
        var artifacts = new ArtifactRepository(dataSource);
        var logs = new CrawlLogRepository(dataSource);
        var cleanup = new RetentionCleanup(dataSource);

        // What is to be audited goes into the queue.
        await sessions.InsertAsync(new NewAuditSession
        {
            Url = "https://example.org/",
            CrawlPolicyVersion = "2026.11",
            ConfigSnapshot = Jsonb.From(new { timeout_ms = 5_000 }),
        });

        // A worker claims one session after the other. Its attempt's number proves, with each change, that it is still its turn.
        while (await queue.ClaimNextAsync() is { } session)
        {
            var page = await pages.InsertAsync(session.Id, new NewAuditPage { PageType = PageType.Homepage, Viewport = Viewport.Desktop });
            await logs.AppendAsync(session.Id, new NewCrawlLog { EventType = CrawlLogEventType.Navigation, Message = $"opening {session.Url}" });
            await artifacts.InsertAsync(session.Id, new NewArtifact
            {
                PageId = page.Id,
                Type = ArtifactType.Screenshot,
                StorageUri = "file:///var/audits/home.png",
                SizeBytes = 95_881,
            });
            (await pages.SetStatusAsync(session.Id, page.Id, PageStatus.Ok, loadTimings: Jsonb.From(new { load_ms = 125.6 }))).EnsureApplied();
            await queue.RecordFindingsAsync(session.Id, session.Attempts, new AuditFindings { FinalUrl = "https://example.org/home" });
            var finish = await queue.CompleteAsync(session.Id, session.Attempts);
            if (finish.Outcome == TransitionOutcome.Refused)
            {
                Console.WriteLine("It took so long that another worker has the session.");
            }
        }

        // A janitor, now and then: what dead workers left, what has expired, and what is old.
        await queue.RescueStaleAsync(silentFor: TimeSpan.FromMinutes(5), maxAttempts: 3);
        await cleanup.SweepAsync(new DelegateStore((batch, _) =>
        {
            foreach (var artifact in batch)
            {
                File.Delete(new Uri(artifact.StorageUri).LocalPath);
            }

            return Task.FromResult(batch);
        }));
        await cleanup.PurgeArtifactsAsync(age: TimeSpan.FromDays(30));
        await cleanup.PurgeSessionsAsync(age: TimeSpan.FromDays(400));
        await cleanup.PurgeCrawlsAsync(age: TimeSpan.FromDays(400));
        // README has audited
    }

    private static async Task FurtherAsync(
        NpgsqlDataSource dataSource,
        CrawlRunRepository runs,
        CrawlEventRepository events,
        CrawlRun run,
        NewCrawlEvent first,
        NewCrawlEvent second,
        NewCrawlEvent third,
        NewCrawlEvent last,
        string text)
    {
        // README goes on
        // Many events in one call: all or none, the ids in their order. Much faster than one by one.
        var ids = await events.AppendAsync(run.Id, [first, second, third]);

        // A crawler's many tasks write into one writer, which stores in bulk; a flush is the promise that all before it is committed.
        await using var writer = new CrawlEventWriter(events);
        await writer.WriteAsync(run.Id, first);
        var id = await writer.AppendAsync(run.Id, second);
        await writer.WriteAsync(run.Id, third);
        await writer.FlushAsync();

        // Several steps as one: every repository method that writes takes your transaction.
        await using var connection = await dataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await events.AppendAsync(run.Id, last, transaction);
        (await runs.CompleteAsync(run.Id, transaction)).EnsureApplied();
        await transaction.CommitAsync();

        // Follow a crawl: what is there after an id, then what is appended, each event once and in order, until the run has ended.
        await foreach (var crawlEvent in events.FollowAsync(run.Id, afterId: id))
        {
            Console.WriteLine(crawlEvent.EventType);
        }

        // All crawls at once, a batch at a time, for an exporter that remembers the cursor of the last; FollowAllAsync goes on for ever.
        var batch = await events.ListAllAsync(cursor: null, limit: 1_000);
        var next = await events.ListAllAsync(batch.Cursor, limit: 1_000);

        // Pages of runs, newest first; NextCursor is null on the last.
        string? cursor = null;
        do
        {
            var page = await runs.ListAsync(new CrawlRunFilter { Statuses = [CrawlStatus.Completed, CrawlStatus.Failed] }, pageSize: 50, cursor);
            cursor = page.NextCursor;
        }
        while (cursor is not null);

        // Text as it was crawled, with U+FFFD for what PostgreSQL cannot store.
        var payload = Jsonb.From(new { text }, options: new JsonbOptions { Repair = true });
        // README pauses
        Assert.That(ids, Has.Count.EqualTo(3));
        Assert.That((batch.Events.Count, next.Events.Count), Is.EqualTo((7, 0)));
        Assert.That(payload, Is.EqualTo(Jsonb.Parse("{\"text\": \"a\ufffdb\"}")));
    }

    private static async Task RunAsync(string connectionString)
    {
        // README begins
        await using var dataSource = NpgsqlDataSource.Create(connectionString);
        await new SchemaMigrator(dataSource).MigrateAsync();
        var runs = new CrawlRunRepository(dataSource);
        var events = new CrawlEventRepository(dataSource);

        var run = await runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app", Goal = "Visit every screen once" });
        (await runs.StartAsync(run.Id)).EnsureApplied();
        await events.AppendAsync(run.Id, new NewCrawlEvent
        {
            EventType = "step.navigated",
            Payload = Jsonb.From(new { step = 1, url = "https://example.org/" }),
        });
        (await runs.CompleteAsync(run.Id)).EnsureApplied();

        await foreach (var crawlEvent in events.StreamAsync(run.Id))
        {
            Console.WriteLine($"{crawlEvent.Id} {crawlEvent.EventType} {crawlEvent.Payload}");
        }
        // README ends
    }
}
