namespace CrawlData.Diagnostics;

/// <summary>A script of the schema.</summary>
public sealed record ScriptStatus
{
    /// <summary>Its name, as in <c>001_crawl_schema.sql</c>.</summary>
    public required string Script { get; init; }

    /// <summary>When it ran, in UTC; null when it is pending.</summary>
    public required DateTimeOffset? AppliedAt { get; init; }
}
