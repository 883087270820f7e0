namespace CrawlData.Dashboard.Screens;

/// <summary>A view of a run.</summary>
internal enum RunTab
{
    Screens,
    Steps,
    Events,
    Time,
    Stats,
}
