using CrawlData.Audits;

namespace CrawlData.Tests.Faults.Checker;

/// <summary>Inserts sessions, claims and audits them, and rescues those of slow workers.</summary>
internal sealed class SessionClient(Workload workload, int number) : Client(workload, number)
{
    private const int MostAttempts = 3;

    private readonly AuditSessionRepository sessions = new(workload.DataSource);
    private readonly AuditSessionQueue queue = new(workload.DataSource, workload.Logger<AuditSessionQueue>(number));
    private readonly AuditPageRepository pages = new(workload.DataSource);
    private readonly ArtifactRepository artifacts = new(workload.DataSource);
    private readonly CrawlLogRepository logs = new(workload.DataSource, logger: workload.Logger<CrawlLogRepository>(number));

    protected override async Task StepAsync()
    {
        if (OneIn(2))
        {
            await InsertAsync();
        }

        if (OneIn(6))
        {
            await RescueAsync();
        }

        var claim = new ClaimOperation(Number);
        await History.RunAsync(claim, async () =>
        {
            if (await queue.ClaimNextAsync() is { } claimed)
            {
                (claim.Session, claim.Attempt) = (claimed.Id, claimed.Attempts);
            }
        });
        if (claim.Session is { } session)
        {
            await AuditAsync(session, claim.Attempt);
        }

        await ThinkAsync(5);
    }

    private async Task InsertAsync()
    {
        var ids = Enumerable.Range(0, Random.Next(1, 4)).Select(_ => Guid.NewGuid()).ToList();
        var insert = new InsertOperation(Number, "audit_sessions", ids);
        await History.RunAsync(insert, () => sessions.InsertAsync(ids.Select(id => new NewAuditSession
        {
            Id = id,
            Url = "https://example.org/",
            CrawlPolicyVersion = "1",
            ConfigSnapshot = Jsonb.Parse("{}"),
        })));
    }

    private async Task AuditAsync(Guid session, int attempt)
    {
        await AppendLinesAsync(session, Random.Next(1, 4));
        var page = Guid.NewGuid();
        var insert = new InsertOperation(Number, "audit_pages", [page]);
        var hasPage = await History.RunAsync(
            insert, () => pages.InsertAsync(session, new NewAuditPage { Id = page, PageType = PageType.Homepage, Viewport = Viewport.Desktop }));
        if (hasPage)
        {
            await InsertArtifactsAsync(session, page, expired: !OneIn(4));
        }

        // Others may rescue the session meanwhile.
        await ThinkAsync(OneIn(4) ? 60 : 1);
        if (OneIn(3))
        {
            await ChangeAsync(new AttemptOperation(Number, session, attempt, "record findings"),
                () => queue.RecordFindingsAsync(session, attempt, new AuditFindings { LowConfidence = OneIn(2) }));
        }

        var failed = OneIn(3);
        await ChangeAsync(
            new AttemptOperation(Number, session, attempt, failed ? "fail" : "complete"),
            () => failed ? queue.FailAsync(session, attempt, "reason") : queue.CompleteAsync(session, attempt));
        if (failed && OneIn(3))
        {
            var requeue = new RequeueOperation(Number, session);
            await History.RunAsync(requeue, async () => requeue.Result = (await queue.RequeueAsync(session)).Outcome);
        }
        else if (hasPage)
        {
            Workload.EndedSessions.Enqueue((session, page));
        }
    }

    private async Task RescueAsync()
    {
        var rescue = new RescueOperation(Number);
        await History.RunAsync(rescue, async () =>
        {
            var rescued = await queue.RescueStaleAsync(TimeSpan.FromMilliseconds(30 + Random.Next(100)), MostAttempts);
            rescue.Rescued = [.. rescued.Select(one => (one.Id, one.Attempts, one.Status.ToString()))];
        });
    }

    private async Task ChangeAsync(AttemptOperation change, Func<Task<Transition<AuditSession>>> call) =>
        await History.RunAsync(change, async () => change.Result = (await call()).Outcome);

    private async Task AppendLinesAsync(Guid session, int count)
    {
        var rows = Enumerable.Range(0, count).Select(_ => (session, Key: NextKey())).ToList();
        Workload.Added(count);
        var append = new AppendOperation(Number, $"append {count} lines", rows) { IsLog = true, Timestamp = History.Now };
        await History.RunAsync(append, async () => append.Ids = await logs.AppendAsync(session, rows.Select(row => Line(row.Key))));
    }

    private async Task InsertArtifactsAsync(Guid session, Guid page, bool expired)
    {
        var ids = Enumerable.Range(0, Random.Next(1, 5)).Select(_ => Guid.NewGuid()).ToList();
        await History.RunAsync(
            new InsertArtifactsOperation(Number, session, ids, expired), () => artifacts.InsertAsync(session, ids.Select(id => Artifact(id, page, expired))));
    }
}
