namespace CrawlData.Schema;

/// <summary>A difference between a database's schema and what the scripts make.</summary>
public sealed record SchemaDifference
{
    /// <summary>Whether it is missing, changed or extra.</summary>
    public required SchemaDifferenceKind Kind { get; init; }

    /// <summary>What differs, a kind and a name, as in <c>column crawl_events.payload</c>, <c>index idx_crawl_events_crawl_id</c>, <c>type crawl_status</c>,
    /// <c>script 001_crawl_schema.sql</c>. Names are quoted where SQL wants them so.</summary>
    public required string Element { get; init; }

    /// <summary>As the scripts make it, in the words of PostgreSQL's catalog; a script's SHA-256 in this library. Null when it is extra.</summary>
    public string? Expected { get; init; }

    /// <summary>As it is; a script's SHA-256 when it ran. Null when it is missing.</summary>
    public string? Actual { get; init; }

    /// <summary>The difference in one line.</summary>
    public override string ToString() => (Kind switch
    {
        SchemaDifferenceKind.Missing => $"missing: {Element}: {Expected}",
        SchemaDifferenceKind.Changed => $"changed: {Element}: expected {Expected}, is {Actual}",
        _ => $"extra: {Element}: {Actual}",
    }).ReplaceLineEndings(" ");
}
