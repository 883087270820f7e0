using CrawlData.Crawls;
using CrawlData.Dashboard.Text;

namespace CrawlData.Dashboard.Screens;

/// <summary>The list of runs, the newest first.</summary>
internal sealed record RunList : IScreen
{
    public string Title => "Runs";

    public required CrawlStatus? Status { get; init; }

    public required string? App { get; init; }

    public required DateTimeOffset? From { get; init; }

    public required DateTimeOffset? Before { get; init; }

    public required int PageSize { get; init; }

    public required bool IsFirstPage { get; init; }

    public required IReadOnlyList<RunRow> Rows { get; init; }

    public required string? NextCursor { get; init; }

    public required DateTimeOffset Now { get; init; }

    public bool IsFiltered => Status is not null || App is not null || From is not null || Before is not null;

    public object Twin => new { Items = Rows.Select(row => row.Twin), NextCursor };

    public static async Task<RunList?> ReadAsync(ScreenRequest request)
    {
        var query = request.Query;
        var status = query.Label<CrawlStatus>("status");
        var filter = new CrawlRunFilter
        {
            Statuses = status is { } one ? [one] : null,
            AppPackage = query.Text("app"),
            CreatedFrom = query.Time("from"),
            CreatedBefore = query.Time("before"),
        };
        var page = await request.Rows.ListRunsAsync(filter, query.PageSize, query.Cursor).ConfigureAwait(false);
        return new RunList
        {
            Status = status,
            App = filter.AppPackage,
            From = filter.CreatedFrom,
            Before = filter.CreatedBefore,
            PageSize = query.PageSize,
            IsFirstPage = query.Cursor is null,
            Rows = await RunRow.OfAsync(page.Items, request.Rows, request.StaleAfter).ConfigureAwait(false),
            NextCursor = page.NextCursor,
            Now = request.Now,
        };
    }

    /// <summary>Returns the address of a page of this list.</summary>
    public string Page(string? cursor) => Link.Query(
        ("status", Status?.ToLabel()),
        ("app", App),
        Query.Bound("from", From),
        Query.Bound("before", Before),
        Query.Size(PageSize),
        ("cursor", cursor));
}
