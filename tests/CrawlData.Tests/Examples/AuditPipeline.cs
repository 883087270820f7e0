// snippet: audit
using CrawlData;
using CrawlData.Audits;
using CrawlData.Retention;
// end snippet
using Npgsql;

namespace Examples;

internal static class AuditPipeline
{
    public static async Task RunAsync(NpgsqlDataSource dataSource)
    {
        // snippet: audit
        var sessions = new AuditSessionRepository(dataSource);
        var queue = new AuditSessionQueue(dataSource);
        var pages = new AuditPageRepository(dataSource);
        var artifacts = new ArtifactRepository(dataSource);
        var logs = new CrawlLogRepository(dataSource);
        var sweeper = new ArtifactSweeper(dataSource);
        var purger = new RetentionPurger(dataSource);

        // Any process adds sessions to the queue.
        await sessions.InsertAsync(new NewAuditSession
        {
            Url = "https://example.org/",
            CrawlPolicyVersion = "2026.11",
            ConfigSnapshot = Jsonb.From(new { timeout_ms = 5_000 }),
        });

        // A worker claims one session after another. The attempt is the fencing token of each change.
        while (await queue.ClaimNextAsync() is { } session)
        {
            var page = await pages.InsertAsync(session.Id, new NewAuditPage { PageType = PageType.Homepage, Viewport = Viewport.Desktop });
            await logs.AppendAsync(session.Id, new NewCrawlLog { EventType = CrawlLogEventType.Navigation, Message = $"opening {session.Url}" });
            await artifacts.InsertAsync(session.Id, new NewArtifact
            {
                PageId = page.Id,
                Type = ArtifactType.Screenshot,
                StorageUri = FileArtifactStore.GetStorageUri("/var/audits/home.png"),
                SizeBytes = 95_881,
            });
            (await pages.SetStatusAsync(session.Id, page.Id, PageStatus.Ok, loadTimings: Jsonb.From(new { load_ms = 125.6 }))).EnsureApplied();
            await queue.RecordFindingsAsync(session.Id, session.Attempts, new AuditFindings { FinalUrl = "https://example.org/home" });
            var finish = await queue.CompleteAsync(session.Id, session.Attempts);
            if (finish.Outcome == TransitionOutcome.Refused)
            {
                Console.WriteLine("The session was rescued: another worker has it.");
            }
        }

        // A scheduled job rescues stale sessions, sweeps expired artifacts and purges old rows.
        await queue.RescueStaleAsync(silentFor: TimeSpan.FromMinutes(5), maxAttempts: 3);
        await sweeper.SweepAsync(new FileArtifactStore(["/var/audits"]));
        await purger.PurgeArtifactsAsync(age: TimeSpan.FromDays(30));
        await purger.PurgeSessionsAsync(age: TimeSpan.FromDays(400));
        await purger.PurgeCrawlsAsync(age: TimeSpan.FromDays(400));
        // end snippet
    }
}
