using CrawlData.Crawls;

namespace CrawlData.Tests.Crawls;

/// <summary>A fixture of the queue of runs.</summary>
public abstract class CrawlRunQueueTest : EmptiedDatabaseTest
{
    protected static readonly TimeSpan Silence = TimeSpan.FromMinutes(5);

    protected async Task<CrawlRunClaim> ClaimNewAsync(string appPackage = "org.example.app")
    {
        var id = await CreateCrawlAsync(appPackage);
        var claim = (await RunQueue.ClaimNextAsync())!;
        Assert.That(claim.Run.Id, Is.EqualTo(id));
        return claim;
    }

    /// <summary>Makes the starts, heartbeats and events that there are now lie in the past, by the server's clock.</summary>
    protected Task SilenceAsync() => ExecuteAsync(
        """
        update crawl_runs set started_at = started_at - @ago;
        update crawl_run_claims set heartbeat_at = now() - @ago;
        delete from crawl_event_marks;
        insert into crawl_event_marks (marked_at, event_id) select clock_timestamp() - @ago, coalesce(max(id), 0) from crawl_events
        """,
        new { ago = 2 * Silence });

    protected async Task<CrawlStatus> StatusAsync(Guid id) => (await Runs.GetAsync(id))!.Status;
}
