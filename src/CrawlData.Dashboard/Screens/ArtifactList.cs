using CrawlData.Audits;
using CrawlData.Dashboard.Text;

namespace CrawlData.Dashboard.Screens;

/// <summary>The artifacts of all sessions that have expired, or that expire soon, by their time of retention.</summary>
internal sealed record ArtifactList : IScreen
{
    /// <summary>The time from now within which an artifact expires soon.</summary>
    public static readonly TimeSpan Soon = TimeSpan.FromDays(7);

    public string Title => HasExpired ? "Expired artifacts" : "Artifacts that expire in the next seven days";

    /// <summary>Gets whether these artifacts have expired. Otherwise they expire soon.</summary>
    public required bool HasExpired { get; init; }

    public required IReadOnlyList<Artifact> Items { get; init; }

    public required string? NextCursor { get; init; }

    public required int PageSize { get; init; }

    public required bool IsFirstPage { get; init; }

    /// <summary>Gets whether the content of artifacts is served.</summary>
    public required bool ServesArtifacts { get; init; }

    public object Twin => new { Items, NextCursor };

    public static Task<ArtifactList?> ReadExpiredAsync(ScreenRequest request) => ReadAsync(request, hasExpired: true);

    public static Task<ArtifactList?> ReadExpiringAsync(ScreenRequest request) => ReadAsync(request, hasExpired: false);

    /// <summary>Returns the address of a page of this list.</summary>
    public string Page(string? cursor) => Link.Query(Query.Size(PageSize), ("cursor", cursor));

    private static async Task<ArtifactList?> ReadAsync(ScreenRequest request, bool hasExpired)
    {
        var (rows, query) = (request.Rows, request.Query);
        var page = await (hasExpired
            ? rows.ListExpiredArtifactsAsync(query.PageSize, query.Cursor)
            : rows.ListExpiringArtifactsAsync(Soon, query.PageSize, query.Cursor)).ConfigureAwait(false);
        return new ArtifactList
        {
            HasExpired = hasExpired,
            Items = page.Items,
            NextCursor = page.NextCursor,
            PageSize = query.PageSize,
            IsFirstPage = query.Cursor is null,
            ServesArtifacts = request.Options.ServesArtifacts,
        };
    }
}
