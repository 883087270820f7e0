namespace CrawlData.Dashboard.Reads;

/// <summary>Thrown when other requests hold all of something that the dashboard has.</summary>
internal sealed class DashboardBusyException(string reason) : Exception(reason);
