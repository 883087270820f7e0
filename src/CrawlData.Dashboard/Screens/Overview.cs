using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Diagnostics;

namespace CrawlData.Dashboard.Screens;

/// <summary>What runs now, what failed last, and what waits.</summary>
internal sealed record Overview : IScreen
{
    private const int Shown = 10;

    public string Title => "Overview";

    public required DatabaseStatus Status { get; init; }

    public required IReadOnlyList<RunRow> Running { get; init; }

    public required IReadOnlyList<RunRow> Failed { get; init; }

    public required IReadOnlyList<AuditSession> StaleSessions { get; init; }

    public required IReadOnlyList<SessionRow> FailedSessions { get; init; }

    public object Twin => new
    {
        Status,
        Running = Running.Select(row => row.Twin),
        Failed = Failed.Select(row => row.Twin),
        StaleSessions,
        FailedSessions = FailedSessions.Select(row => row.Twin),
    };

    public static async Task<Overview> ReadAsync(ScreenRequest request, DatabaseStatus status)
    {
        var running = await request.Rows.ListRunsAsync(new CrawlRunFilter { Statuses = [CrawlStatus.Running] }, Shown).ConfigureAwait(false);
        var failed = await request.Rows.ListRunsAsync(new CrawlRunFilter { Statuses = [CrawlStatus.Failed] }, Shown).ConfigureAwait(false);
        var failedSessions = await request.Rows.ListSessionsAsync(new AuditSessionFilter { Statuses = [AuditSessionStatus.Failed] }, Shown)
            .ConfigureAwait(false);
        return new Overview
        {
            Status = status,
            Running = await RunRow.OfAsync(running.Items, request.Rows, request.StaleAfter).ConfigureAwait(false),
            Failed = [.. failed.Items.Select(run => new RunRow(run, null, false))],
            StaleSessions = await request.Rows.ListSilentSessionsAsync(Shown).ConfigureAwait(false),
            FailedSessions = [.. failedSessions.Items.Select(session => new SessionRow(session, false))],
        };
    }
}
