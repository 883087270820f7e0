using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Dashboard.Text;

namespace CrawlData.Dashboard.Actions;

/// <summary>A change that an operator makes to a run or a session.</summary>
/// <param name="Name">The last segment of its address.</param>
/// <param name="Title">What its link and its button say.</param>
/// <param name="Consequence">What follows from it, for the page that asks for confirmation.</param>
/// <param name="Statuses">The labels of the statuses that allow it. The database decides.</param>
/// <param name="NeedsReason">Whether the operator has to write why.</param>
internal sealed record ActionRule(string Name, string Title, string Consequence, IReadOnlyList<string> Statuses, bool NeedsReason = false)
{
    public static readonly IReadOnlyList<ActionRule> OfRuns =
    [
        new("cancel", "Cancel the run", "A worker that has claimed the run can store no more events then.", [Pending, Running]),
        new("fail", "Fail the run", "A worker that has claimed the run can store no more events then.", [Pending, Running], NeedsReason: true),
        new("retry", "Retry the run", "A new run like this one is created, for any worker to claim. This one stays as it is.", [Failed, Cancelled]),
    ];

    public static readonly IReadOnlyList<ActionRule> OfSessions =
    [
        new("requeue", "Queue the session again", "It keeps its place in the queue.",
            [AuditSessionStatus.Failed.ToLabel(), AuditSessionStatus.Partial.ToLabel()]),
        new("fail", "Fail the session", "The changes of a worker that still has it are refused then.",
            [AuditSessionStatus.Running.ToLabel()], NeedsReason: true),
        new("release", "Release the session",
            "It is queued again, and its attempt does not count. The changes of a worker that still has it are refused then.",
            [AuditSessionStatus.Running.ToLabel()]),
    ];

    private static string Pending => CrawlStatus.Pending.ToLabel();

    private static string Running => CrawlStatus.Running.ToLabel();

    private static string Failed => CrawlStatus.Failed.ToLabel();

    private static string Cancelled => CrawlStatus.Cancelled.ToLabel();
}
