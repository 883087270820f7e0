using CrawlData.Dashboard.Assets;

namespace CrawlData.Dashboard.Pages;

/// <summary>What every page needs beside its screen.</summary>
/// <param name="Root">The way from the document to the dashboard's first page: empty, or <c>../</c> once or more.</param>
/// <param name="Name">The dashboard's name.</param>
/// <param name="Title">The page's title.</param>
/// <param name="Section">The path of the list that the page belongs to; null for none.</param>
/// <param name="Twin">The page's address in the API; null for none.</param>
internal sealed record PageContext(string Root, string Name, string Title, string? Section, string? Twin)
{
    public static readonly (string Path, string Name)[] Sections =
        [("", "Overview"), ("runs", "Runs"), ("sessions", "Sessions"), ("artifacts", "Artifacts"), ("status", "Status")];

    public string Style => $"{Root}assets/{AssetCatalog.Style}";

    public string Script => $"{Root}assets/{AssetCatalog.Script}";

    public string LiveScript => $"{Root}assets/{AssetCatalog.LiveScript}";

    public string Icon => $"{Root}assets/{AssetCatalog.Icon}";

    /// <summary>Returns the address of a section. An empty one would mean the document itself.</summary>
    public string Address(string path) => Root + path is { Length: > 0 } address ? address : "./";
}
