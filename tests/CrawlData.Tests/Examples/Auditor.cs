// snippet: auditor
using CrawlData;
using CrawlData.Audits;
using CrawlData.Retention;
using CrawlData.Workers;
// end snippet

namespace Examples;

// snippet: auditor
public sealed class Auditor(AuditSessionQueue queue, AuditPageRepository pages, ArtifactRepository artifacts, CrawlLogRepository logs) : IAuditHandler
{
    public async Task HandleAsync(AuditContext context, CancellationToken cancellationToken)
    {
        var session = context.Session;
        await logs.AppendAsync(
            session.Id,
            new NewCrawlLog { EventType = CrawlLogEventType.Navigation, Message = $"opening {session.Url}" },
            cancellationToken: cancellationToken);
        var page = await pages.InsertAsync(
            session.Id, new NewAuditPage { PageType = PageType.Homepage, Viewport = Viewport.Desktop }, cancellationToken: cancellationToken);
        await artifacts.InsertAsync(
            session.Id,
            new NewArtifact
            {
                PageId = page.Id,
                Type = ArtifactType.Screenshot,
                StorageUri = FileArtifactStore.GetStorageUri("/var/audits/home.png"),
                SizeBytes = 95_881,
            },
            cancellationToken: cancellationToken);
        await pages.SetStatusAsync(
            session.Id, page.Id, PageStatus.Ok, loadTimings: Jsonb.From(new { load_ms = 125.6 }), cancellationToken: cancellationToken);

        // The attempt is the fencing token of each change of the session.
        await queue.RecordFindingsAsync(
            session.Id, session.Attempts, new AuditFindings { FinalUrl = "https://example.org/home" }, cancellationToken: cancellationToken);
    }
}
// end snippet
