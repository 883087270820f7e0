namespace CrawlData.Dashboard.Reads;

/// <summary>Thrown when other requests hold all of the dashboard's connections.</summary>
internal sealed class DashboardBusyException : Exception;
