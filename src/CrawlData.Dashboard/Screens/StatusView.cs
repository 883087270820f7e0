using CrawlData.Diagnostics;

namespace CrawlData.Dashboard.Screens;

/// <summary>The state of the database, and what is wrong with it.</summary>
/// <param name="Status">The state.</param>
/// <param name="Findings">The findings of <c>crawldata doctor</c>.</param>
/// <param name="Schema">The findings of <c>crawldata verify</c>.</param>
internal sealed record StatusView(DatabaseStatus Status, IReadOnlyList<DatabaseFinding> Findings, SchemaCheck Schema) : IScreen
{
    public string Title => "Status";

    public object Twin => new { Status, Findings, Schema = Schema.Twin };
}
