using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Retention;

namespace CrawlData.Tests.Faults.Checker;

/// <summary>Ends many sessions, and then adds artifacts and log lines to them while it purges them. Likewise it adds events to runs.</summary>
internal sealed class LateClient(Workload workload, int number) : Client(workload, number)
{
    private const int Sessions = 40;
    private const int Runs = 100;
    private const int Writers = 4;

    private static readonly TimeSpan Age = TimeSpan.FromMilliseconds(1);

    private readonly AuditSessionRepository sessions = new(workload.DataSource);
    private readonly AuditSessionQueue queue = new(workload.DataSource);
    private readonly AuditPageRepository pages = new(workload.DataSource);
    private readonly ArtifactRepository artifacts = new(workload.DataSource);
    private readonly CrawlLogRepository logs = new(workload.DataSource);
    private readonly CrawlRunRepository runs = new(workload.DataSource);
    private readonly CrawlEventRepository events = workload.Events(number);
    private readonly RetentionPurger purger = new(workload.DataSource);
    private int added;

    private TimeSpan Ahead => History.Now + TimeSpan.FromHours(1);

    protected override async Task StepAsync()
    {
        await (OneIn(2) ? PurgeSessionsAsync() : PurgeRunsAsync());
        await ThinkAsync(50);
    }

    private async Task PurgeRunsAsync()
    {
        var ids = Enumerable.Range(0, Runs).Select(_ => Guid.NewGuid()).ToArray();
        var hasRuns = await History.RunAsync(
            new InsertOperation(Number, "crawl_runs", ids) { HaveEnded = true },
            () => runs.InsertAsync(ids.Select(id => new NewCrawlRun
            {
                Id = id,
                AppPackage = "org.example.app",
                Status = CrawlStatus.Completed,
                CreatedAt = DateTimeOffset.UtcNow.AddHours(-2),
                CompletedAt = DateTimeOffset.UtcNow.AddHours(-1),
            })));
        if (hasRuns)
        {
            Random.Shuffle(ids);
            await Task.WhenAll(
            [
                History.RunAsync(new PurgeOperation(Number, "crawl_runs", Age), () => purger.PurgeCrawlsAsync(Age, batchSize: 200)),
                .. ids.Chunk(Runs / Writers).Select(part => Task.Run(() => AppendAsync(part))),
            ]);
        }
    }

    private async Task PurgeSessionsAsync()
    {
        var parts = await Task.WhenAll(Enumerable.Range(0, Writers).Select(_ => Task.Run(() => EndAsync(Sessions / Writers))));
        var ended = parts.SelectMany(part => part).ToArray();
        Random.Shuffle(ended);
        await Task.WhenAll(
        [
            History.RunAsync(new PurgeOperation(Number, "audit_sessions", Age), () => purger.PurgeSessionsAsync(Age, batchSize: 200)),
            .. ended.Chunk(Math.Max(1, ended.Length / Writers)).Select(part => Task.Run(() => AddAsync(part))),
        ]);
    }

    /// <summary>Inserts sessions that end at once.</summary>
    private async Task<List<(Guid Session, Guid Page)>> EndAsync(int count)
    {
        var ended = new List<(Guid, Guid)>();
        for (; count > 0; count--)
        {
            var (session, page) = (Guid.NewGuid(), Guid.NewGuid());
            var claim = new ClaimOperation(Number);
            var end = new AttemptOperation(Number, session, 1, "fail");
            var done = await History.RunAsync(
                    new InsertOperation(Number, "audit_sessions", [session]),
                    () => sessions.InsertAsync(new NewAuditSession
                    {
                        Id = session,
                        Url = "https://example.org/",
                        CrawlPolicyVersion = "1",
                        ConfigSnapshot = Jsonb.Parse("{}"),
                    }))
                && await History.RunAsync(
                    new InsertOperation(Number, "audit_pages", [page]),
                    () => pages.InsertAsync(session, new NewAuditPage { Id = page, PageType = PageType.Homepage, Viewport = Viewport.Desktop }))
                && await History.RunAsync(claim, async () =>
                {
                    // Another worker may have claimed it.
                    var started = await queue.StartAsync(session);
                    if (started.Outcome == TransitionOutcome.Applied)
                    {
                        (claim.Session, claim.Attempt) = (session, started.Row!.Attempts);
                    }
                })
                && claim.Attempt == 1
                && await History.RunAsync(end, async () => end.Result = (await queue.FailAsync(session, 1, "reason")).Outcome);
            if (done)
            {
                ended.Add((session, page));
            }
        }

        return ended;
    }

    /// <summary>Appends an event whose time is ahead to each run. It may not disappear.</summary>
    private async Task AppendAsync(Guid[] ended)
    {
        foreach (var run in ended)
        {
            var key = NextKey();
            Workload.Added(1);
            var append = new AppendOperation(Number, "append to a run that ended", [(run, key)]) { Timestamp = Ahead };
            await History.RunAsync(append, async () => append.Ids = [await events.AppendAsync(run, new NewCrawlEvent
            {
                EventType = "late",
                Payload = Jsonb.From(new { client = key.Client, number = key.Number }),
                CreatedAt = DateTimeOffset.UtcNow.AddHours(1),
            })]);
        }
    }

    /// <summary>Adds an unexpired artifact, or a line whose timestamp is ahead, to each session. Neither may disappear.</summary>
    private async Task AddAsync((Guid Session, Guid Page)[] ended)
    {
        foreach (var (session, page) in ended)
        {
            if (Interlocked.Increment(ref added) % 2 == 0)
            {
                var id = Guid.NewGuid();
                await History.RunAsync(
                    new InsertArtifactsOperation(Number, session, [id], expired: false),
                    () => artifacts.InsertAsync(session, Artifact(id, page, expired: false)));
            }
            else
            {
                var key = NextKey();
                var append = new AppendOperation(Number, "append a line", [(session, key)]) { IsLog = true, Timestamp = Ahead };
                await History.RunAsync(append, async () =>
                    append.Ids = [await logs.AppendAsync(session, Line(key) with { Timestamp = DateTimeOffset.UtcNow.AddHours(1) })]);
            }
        }
    }
}
