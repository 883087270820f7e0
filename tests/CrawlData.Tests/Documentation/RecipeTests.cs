using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Tests.Crawls;
using Examples;
using Npgsql;

namespace CrawlData.Tests.Documentation;

public sealed class RecipeTests : EmptiedDatabaseTest
{
    [Test]
    public async Task Events_are_appended_and_read_back()
    {
        var (dataSource, runs, events) = (DataSource, Runs, Events);
        var run = await runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app", Status = CrawlStatus.Running });
        var (first, second, third, fourth, last) = (Event(1), Event(2), Event(3), Event(4), Event(5, "last"));
        using var folder = new TestFolder();
        var spoolDirectory = folder.Path;

        // snippet: append-many
        var ids = await events.AppendAsync(run.Id, [first, second, third]);
        // end snippet

        // snippet: writer
        await using var writer = new CrawlEventWriter(events);
        await writer.WriteAsync(run.Id, first);
        var id = await writer.AppendAsync(run.Id, second);
        await writer.WriteAsync(run.Id, third);
        await writer.FlushAsync();
        // end snippet

        // snippet: spool
        await using var durable = new CrawlEventWriter(events, new CrawlEventWriterOptions { SpoolDirectory = spoolDirectory });
        await durable.WriteAsync(run.Id, fourth);
        await durable.FlushAsync();
        // end snippet

        // snippet: transaction
        await using var connection = await dataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await events.AppendAsync(run.Id, last, transaction);
        (await runs.CompleteAsync(run.Id, transaction)).EnsureApplied();
        await transaction.CommitAsync();
        // end snippet

        // snippet: follow
        await foreach (var crawlEvent in events.FollowAsync(run.Id, afterId: id))
        {
            Console.WriteLine(crawlEvent.EventType);
        }
        // end snippet

        // snippet: all-crawls
        var batch = await events.ListAllAsync(cursor: null, limit: 1_000);
        var next = await events.ListAllAsync(batch.Cursor, limit: 1_000);
        // end snippet

        Assert.That(ids, Has.Count.EqualTo(3));
        Assert.That((batch.Events.Count, next.Events.Count), Is.EqualTo((8, 0)));
        Assert.That((await runs.GetAsync(run.Id))!.Status, Is.EqualTo(CrawlStatus.Completed));
        Assert.That(
            (await events.StreamAsync(run.Id).ToListAsync()).Select(stored => stored.EventType), Is.EqualTo(Enumerable.Repeat("step", 7).Append("last")));
    }

    [Test]
    public async Task Runs_are_listed_page_by_page()
    {
        var runs = Runs;
        await runs.InsertAsync(Enumerable.Repeat(new NewCrawlRun { AppPackage = "org.example.app", Status = CrawlStatus.Completed }, 70));
        await runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" });

        // snippet: pages
        var ended = new List<CrawlRun>();
        string? cursor = null;
        do
        {
            var page = await runs.ListAsync(new CrawlRunFilter { Statuses = [CrawlStatus.Completed, CrawlStatus.Failed] }, pageSize: 50, cursor);
            ended.AddRange(page.Items);
            cursor = page.NextCursor;
        }
        while (cursor is not null);
        // end snippet

        Assert.That(ended, Has.Count.EqualTo(70));
    }

    [Test]
    public void Crawled_text_is_repaired()
    {
        var text = "a\0b";

        // snippet: repair
        var payload = Jsonb.From(new { text }, options: new JsonbOptions { Repair = true });
        // end snippet

        Assert.That(payload, Is.EqualTo(Jsonb.Parse("{\"text\": \"a\ufffdb\"}")));
    }

    [Test]
    public async Task A_session_is_queued_audited_and_completed()
    {
        using var host = AuditPipeline.Build(Database.ConnectionString);
        await host.StartAsync();
        await AuditPipeline.EnqueueAsync(new AuditSessionRepository(DataSource, notify: true));
        await Wait.UntilAsync(DataSource, "select status = 'completed' from audit_sessions");
        await host.StopAsync();

        var session = (await Sessions.ListAsync()).Items.Single();
        Assert.That((session.Status, session.FinalUrl), Is.EqualTo((AuditSessionStatus.Completed, "https://example.org/home")));
        Assert.That((await Pages.ListAsync(session.Id)).Single().Status, Is.EqualTo(PageStatus.Ok));
        Assert.That(
            (await Artifacts.ListAsync(session.Id)).Single().RetentionUntil, Is.EqualTo(DateTimeOffset.UtcNow.AddDays(90)).Within(TimeSpan.FromMinutes(1)));
        Assert.That((await Logs.ListAsync(session.Id)).Items, Has.Count.EqualTo(2));
    }

    [Test]
    public async Task An_unknown_outcome_is_found_out_by_one_id([Values] bool isStored)
    {
        var events = Events;
        var run = await CreateCrawlAsync();
        var ids = await events.AppendAsync(run, [Event(1), Event(2)]);
        var exception = new AppendOutcomeUnknownException("crawl_events", run, isStored ? ids : [ids[^1] + 1], "the connection was lost", null);

        // snippet: unknown-outcome
        var stored = await events.GetAsync(exception.ParentId, exception.Ids[0]) is not null;
        // end snippet

        Assert.That(stored, Is.EqualTo(isStored));
    }

    [Test]
    public async Task Of_several_hosts_the_primary_is_used()
    {
        await CreateCrawlAsync();
        var connectionString = Database.ConnectionString;

        // snippet: primary
        await using var hosts = new NpgsqlDataSourceBuilder(connectionString).BuildMultiHost();
        var runs = new CrawlRunRepository(hosts.WithTargetSession(TargetSessionAttributes.Primary));
        // end snippet

        Assert.That((await runs.CountByStatusAsync())[CrawlStatus.Pending], Is.EqualTo(1));
    }
}
