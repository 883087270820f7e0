namespace CrawlData.Schema;

/// <summary>The schema could not be brought up to date: a script failed, and nothing of it was kept; those before it in the same call stay applied. Or the
/// database or the data source cannot be migrated at all.</summary>
public class MigrationException : CrawlDataException
{
    internal MigrationException(string? script, string message, Exception? innerException = null) : base(message, innerException) => Script = script;

    /// <summary>The name of the script that it is about, such as <c>001_crawl_schema.sql</c>; null when it is about none.</summary>
    public string? Script { get; }
}
