namespace CrawlData.Dashboard.Actions;

/// <summary>Thrown when an action took too long, and may have been done.</summary>
internal sealed class ActionUnknownException(Exception cause) : Exception("The action took too long.", cause);
