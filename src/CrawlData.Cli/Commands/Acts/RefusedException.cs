namespace CrawlData.Cli.Commands;

/// <summary>A change was refused for another reason than the row's status. Nothing was changed.</summary>
internal sealed class RefusedException(string message) : Exception(message);
