using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Retention;
using CrawlData.Storage;
using CrawlData.Tests.Faults;
using Dapper;
using Npgsql;

namespace CrawlData.Tests;

/// <summary>Uses the library in a process whose application has turned the driver's switches.</summary>
internal sealed class DriverSwitchScenario
{
    public const string DynamicCode = "System.Runtime.CompilerServices.RuntimeFeature.IsDynamicCodeSupported";

    private static readonly NewAuditSession Session = new() { Url = "https://example.org/", CrawlPolicyVersion = "1", ConfigSnapshot = Jsonb.Parse("{}") };
    private static readonly NewCrawlEvent Event = new() { EventType = "step", Payload = Jsonb.Parse("{}") };
    private static readonly NewCrawlLog Line = new() { EventType = CrawlLogEventType.Navigation, Message = "a" };

    private readonly NpgsqlDataSource dataSource;

    private DriverSwitchScenario(NpgsqlDataSource dataSource) => this.dataSource = dataSource;

    public static async Task RunAsync(string connectionString)
    {
        await using var dataSource = NpgsqlDataSource.Create(connectionString);
        if (AppContext.TryGetSwitch("Npgsql.EnableSqlRewriting", out var rewrites) && !rewrites)
        {
            await Assert.ThatAsync(
                () => new CrawlRunRepository(dataSource).InsertAsync(new NewCrawlRun { AppPackage = "a" }), Throws.InstanceOf<NotSupportedException>());
            return;
        }

        if (AppContext.TryGetSwitch(DynamicCode, out var isSupported) && !isSupported)
        {
            await using var connection = await dataSource.OpenConnectionAsync();
            await Assert.ThatAsync(() => connection.QueryAsync<(int, int)>("select 1, 2"), Throws.InstanceOf<PlatformNotSupportedException>());
            await EndToEndScenario.RunAsync(connectionString);
            return;
        }

        await using (var now = dataSource.CreateCommand("select now()"))
        {
            Assert.That(((DateTime)(await now.ExecuteScalarAsync())!).Kind, Is.EqualTo(DateTimeKind.Local), "the switches are in use");
        }

        await EndToEndScenario.RunAsync(connectionString);
        var scenario = new DriverSwitchScenario(dataSource);
        await scenario.AppendAsync();
        await scenario.PageAsync();
        await scenario.VerifyCommitAsync();
        await scenario.PurgeAsync();
    }

    private async Task AppendAsync()
    {
        var (runs, events, logs) = (new CrawlRunRepository(dataSource), new CrawlEventRepository(dataSource), new CrawlLogRepository(dataSource));
        var crawl = (await runs.InsertAsync(new NewCrawlRun { AppPackage = "a" })).Id;
        var session = (await new AuditSessionRepository(dataSource).InsertAsync(Session)).Id;
        var given = new DateTimeOffset(2026, 7, 1, 23, 59, 59, TimeSpan.FromHours(-7));
        foreach (var count in new[] { 1, 3, 1_000 })
        {
            await events.AppendAsync(crawl, Enumerable.Repeat(Event, count));
            await events.AppendAsync(crawl, Enumerable.Repeat(Event with { CreatedAt = given }, count));
            await logs.AppendAsync(session, Enumerable.Repeat(Line, count));
            await logs.AppendAsync(session, Enumerable.Repeat(Line with { Timestamp = given }, count));
        }

        var stored = await events.StreamAsync(crawl).Select(one => one.CreatedAt)
            .Concat(logs.StreamAsync(session).Select(line => line.Timestamp))
            .ToListAsync();
        Assert.That(stored.Where(time => time == given).Count(), Is.EqualTo(2 * 1_004));
        Assert.That(stored.Where(time => time != given).ToList(), Has.Count.EqualTo(2 * 1_004)
            .And.All.EqualTo(DateTimeOffset.UtcNow).Within(TimeSpan.FromMinutes(2)));
        Assert.That(await events.CountAsync(crawl, new CrawlEventFilter { CreatedFrom = given, CreatedBefore = given.AddTicks(10) }), Is.EqualTo(1_004));
    }

    private async Task PageAsync()
    {
        var sessions = new AuditSessionRepository(dataSource);
        var inserted = await sessions.InsertAsync(Enumerable.Repeat(Session with { CrawlPolicyVersion = "paged" }, 5));
        var filter = new AuditSessionFilter { CrawlPolicyVersion = "paged" };
        foreach (var order in Enum.GetValues<ListOrder>())
        {
            var listed = new List<Guid>();
            var page = new Page<AuditSession> { Items = [] };
            do
            {
                page = await sessions.ListAsync(filter, 1, page.NextCursor, order);
                listed.AddRange(page.Items.Select(session => session.Id));
            }
            while (page.NextCursor is not null && listed.Count < 10);

            var ids = inserted.Select(session => session.Id);
            Assert.That(listed, Is.EqualTo(order == ListOrder.OldestFirst ? ids : ids.Reverse()));
        }
    }

    private async Task VerifyCommitAsync()
    {
        var crawl = (await new CrawlRunRepository(dataSource).InsertAsync(new NewCrawlRun { AppPackage = "a" })).Id;
        AppendedRows rows;
        await using (var connection = await dataSource.OpenConnectionAsync())
        {
            await using var transaction = await connection.BeginTransactionAsync();
            rows = await InDoubtAppend.InsertAsync(connection, transaction, crawl);
            await transaction.CommitAsync();
        }

        Assert.That(await InDoubtAppend.VerifyAsync(dataSource, rows), Is.EqualTo(CommitOutcome.Committed));
        Assert.That(
            await InDoubtAppend.VerifyAsync(dataSource, rows with { Transaction = rows.Transaction!.Value with { ServerStart = new Instant(0) } }),
            Is.EqualTo(CommitOutcome.Committed),
            "after a restart, by the row's time");
    }

    private async Task PurgeAsync()
    {
        var (sessions, queue) = (new AuditSessionRepository(dataSource), new AuditSessionQueue(dataSource));
        var id = (await sessions.InsertAsync(Session)).Id;
        (await queue.StartAsync(id)).EnsureApplied();
        (await queue.CompleteAsync(id, 1)).EnsureApplied();

        Assert.That((await new RetentionPurger(dataSource).PurgeSessionsAsync(TimeSpan.FromHours(4))).Deleted, Is.Zero);
    }
}
