namespace CrawlData.Diagnostics;

/// <summary>A script of the schema, and whether it ran.</summary>
public sealed record ScriptStatus
{
    /// <summary>Gets the script's name, for example <c>001_crawl_schema.sql</c>.</summary>
    public required string Script { get; init; }

    /// <summary>Gets the time when the script ran, in UTC; null when it is pending.</summary>
    public required DateTimeOffset? AppliedAt { get; init; }
}
