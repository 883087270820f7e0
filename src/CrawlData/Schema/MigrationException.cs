namespace CrawlData.Schema;

/// <summary>Thrown when the schema could not be brought up to date. Either a script failed: it was rolled back, and the scripts before it stay applied. Or the
/// database or the data source cannot be migrated.</summary>
public class MigrationException : CrawlDataException
{
    internal MigrationException(string? script, string message, Exception? innerException = null) : base(message, innerException) => Script = script;

    /// <summary>Gets the name of the script that caused the error, such as <c>001_crawl_schema.sql</c>; null when no script did.</summary>
    public string? Script { get; }
}
