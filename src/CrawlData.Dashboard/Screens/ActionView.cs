using CrawlData.Dashboard.Actions;
using CrawlData.Dashboard.Text;

namespace CrawlData.Dashboard.Screens;

/// <summary>An action that waits for its confirmation.</summary>
/// <param name="Rule">The action.</param>
/// <param name="List">The path of the list that the row is in.</param>
/// <param name="Id">The row's id.</param>
/// <param name="Name">The row's name: the app of a run, or the URL of a session.</param>
/// <param name="Status">The label of the row's status.</param>
/// <param name="Attempt">The attempt that a session is at; null for runs.</param>
internal sealed record ActionView(ActionRule Rule, string List, Guid Id, string Name, string Status, int? Attempt)
{
    public bool IsAllowed => Rule.Statuses.Contains(Status);

    public static async Task<ActionView?> OfRunAsync(ActionRule rule, ScreenRequest request) =>
        await request.Rows.GetRunAsync(request.Id).ConfigureAwait(false) is { } run
            ? new ActionView(rule, "runs", run.Id, run.AppPackage, run.Status.ToLabel(), null)
            : null;

    public static async Task<ActionView?> OfSessionAsync(ActionRule rule, ScreenRequest request) =>
        await request.Rows.GetSessionAsync(request.Id).ConfigureAwait(false) is { } session
            ? new ActionView(rule, "sessions", session.Id, session.Url, session.Status.ToLabel(), session.Attempts)
            : null;
}
