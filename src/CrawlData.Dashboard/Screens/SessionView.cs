using CrawlData.Audits;
using CrawlData.Dashboard.Actions;
using CrawlData.Dashboard.Text;

namespace CrawlData.Dashboard.Screens;

/// <summary>An audit session with its pages, artifacts and log.</summary>
internal sealed record SessionView : IScreen
{
    public string Title => Printable.Line(Row.Session.Url, 120);

    public required SessionRow Row { get; init; }

    public required IReadOnlyList<AuditPage> Pages { get; init; }

    /// <summary>Gets the first artifacts, up to the size of the largest page.</summary>
    public required IReadOnlyList<Artifact> Artifacts { get; init; }

    public required int ArtifactCount { get; init; }

    /// <summary>Gets whether the content of artifacts is served.</summary>
    public required bool ServesArtifacts { get; init; }

    public required CrawlLogLevel? Level { get; init; }

    /// <summary>Gets log lines, the newest first.</summary>
    public required IReadOnlyList<CrawlLog> Lines { get; init; }

    public required bool IsFirstPage { get; init; }

    public required string? NextCursor { get; init; }

    public required int PageSize { get; init; }

    public required DateTimeOffset Now { get; init; }

    /// <summary>Gets whether further lines may come, onto this page.</summary>
    public bool IsLive => IsFirstPage && Row.Session.Status is AuditSessionStatus.Queued or AuditSessionStatus.Running;

    /// <summary>Gets the id from which on lines may come: all lines of the session up to it are shown, or older than the page. Null for all lines.</summary>
    public long? LiveAfter => NextCursor is null || Lines.Count == 0 ? null : Lines.Min(line => line.Id) - 1;

    /// <summary>Gets what the user may do with the session.</summary>
    public required IReadOnlyList<ActionRule> Actions { get; init; }

    public object Twin => new { Row.Session, Row.IsStale, Row.DelayedUntil, Pages, Artifacts, ArtifactCount, Log = new { Items = Lines, NextCursor } };

    public static async Task<SessionView?> ReadAsync(ScreenRequest request)
    {
        var query = request.Query;
        var level = query.Label<CrawlLogLevel>("level");
        if (await request.Rows.GetSessionAsync(request.Id).ConfigureAwait(false) is not { } session)
        {
            return null;
        }

        var artifacts = await request.Rows.ListArtifactsAsync(session.Id).ConfigureAwait(false);
        var log = await request.Rows.ListNewestLogAsync(
            session.Id, new CrawlLogFilter { Levels = level is { } one ? [one] : null }, query.PageSize, query.Cursor).ConfigureAwait(false);
        return new SessionView
        {
            Row = (await SessionRow.OfAsync([session], request.Rows, request.Now, request.StaleAfter).ConfigureAwait(false))[0],
            Pages = await request.Rows.ListPagesAsync(session.Id).ConfigureAwait(false),
            Artifacts = [.. artifacts.Take(Query.MaxPageSize)],
            ArtifactCount = artifacts.Count,
            Actions = await request.FindActionsAsync(ActionRule.OfSessions, session.Status.ToLabel()).ConfigureAwait(false),
            ServesArtifacts = request.Options.ServesArtifacts,
            Level = level,
            Lines = log.Items,
            IsFirstPage = query.Cursor is null,
            NextCursor = log.NextCursor,
            PageSize = query.PageSize,
            Now = request.Now,
        };
    }

    /// <summary>Returns the pages of a type in a viewport. There may be several.</summary>
    public IEnumerable<AuditPage> PagesOf(PageType type, Viewport viewport) =>
        Pages.Where(page => page.PageType == type && page.Viewport == viewport);

    /// <summary>Returns the address of an artifact's content; null when it is not served.</summary>
    public string? ContentOf(Artifact artifact) =>
        ServesArtifacts && artifact.DeletedAt is null ? $"{Row.Session.Id}/artifacts/{artifact.Id}" : null;

    /// <summary>Returns the address of the newest screenshot of a page; null when there is none to show.</summary>
    public string? ScreenshotOf(AuditPage page) =>
        Artifacts.LastOrDefault(artifact => artifact.PageId == page.Id && artifact is { Type: ArtifactType.Screenshot, DeletedAt: null }) is { } screenshot
            ? ContentOf(screenshot)
            : null;

    /// <summary>Returns the address of a page of the log.</summary>
    public string Page(string? cursor) => Link.Query(
        ("level", Level?.ToLabel()), Query.Size(PageSize), ("cursor", cursor));
}
