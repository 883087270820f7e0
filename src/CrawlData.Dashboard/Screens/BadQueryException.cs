namespace CrawlData.Dashboard.Screens;

/// <summary>Thrown for a parameter of the URL that cannot be used.</summary>
internal sealed class BadQueryException(string parameter, string reason) : Exception($"{parameter} {reason}.");
