namespace CrawlData.Dashboard.Actions;

/// <summary>Thrown for a field of a form that cannot be used.</summary>
internal sealed class BadFormException(string field, string reason) : Exception($"{field} {reason}.");
