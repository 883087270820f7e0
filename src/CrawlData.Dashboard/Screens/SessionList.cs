using CrawlData.Audits;
using CrawlData.Dashboard.Text;

namespace CrawlData.Dashboard.Screens;

/// <summary>The list of audit sessions, the newest first.</summary>
internal sealed record SessionList : IScreen
{
    public string Title => "Sessions";

    public required AuditSessionStatus? Status { get; init; }

    public required AuditMode? Mode { get; init; }

    public required string? Policy { get; init; }

    public required bool OnlyLowConfidence { get; init; }

    public required DateTimeOffset? From { get; init; }

    public required DateTimeOffset? Before { get; init; }

    public required int PageSize { get; init; }

    public required bool IsFirstPage { get; init; }

    public required IReadOnlyList<SessionRow> Rows { get; init; }

    public required string? NextCursor { get; init; }

    public required DateTimeOffset Now { get; init; }

    public bool IsFiltered => Status is not null || Mode is not null || Policy is not null || OnlyLowConfidence || From is not null || Before is not null;

    public object Twin => new { Items = Rows.Select(row => row.Twin), NextCursor };

    public static async Task<SessionList?> ReadAsync(ScreenRequest request)
    {
        var query = request.Query;
        var (status, mode) = (query.Label<AuditSessionStatus>("status"), query.Label<AuditMode>("mode"));
        var onlyLowConfidence = query.Text("confidence") switch
        {
            null => false,
            "low" => true,
            _ => throw new BadQueryException("confidence", "must be low"),
        };
        var filter = new AuditSessionFilter
        {
            Statuses = status is { } one ? [one] : null,
            Modes = mode is { } only ? [only] : null,
            CrawlPolicyVersion = query.Text("policy"),
            LowConfidence = onlyLowConfidence ? true : null,
            CreatedFrom = query.Time("from"),
            CreatedBefore = query.Time("before"),
        };
        var page = await request.Rows.ListSessionsAsync(filter, query.PageSize, query.Cursor).ConfigureAwait(false);
        return new SessionList
        {
            Status = status,
            Mode = mode,
            Policy = filter.CrawlPolicyVersion,
            OnlyLowConfidence = onlyLowConfidence,
            From = filter.CreatedFrom,
            Before = filter.CreatedBefore,
            PageSize = query.PageSize,
            IsFirstPage = query.Cursor is null,
            Rows = await SessionRow.OfAsync(page.Items, request.Rows, request.Now, request.StaleAfter).ConfigureAwait(false),
            NextCursor = page.NextCursor,
            Now = request.Now,
        };
    }

    /// <summary>Returns the address of a page of this list.</summary>
    public string Page(string? cursor) => Link.Query(
        ("status", Status?.ToLabel()),
        ("mode", Mode?.ToLabel()),
        ("policy", Policy),
        ("confidence", OnlyLowConfidence ? "low" : null),
        Query.Bound("from", From),
        Query.Bound("before", Before),
        Query.Size(PageSize),
        ("cursor", cursor));
}
