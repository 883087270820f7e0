namespace CrawlData.Schema;

/// <summary>A difference between a database's schema and the schema that the scripts make.</summary>
public sealed record SchemaDifference
{
    /// <summary>Gets whether the element is missing, changed or extra.</summary>
    public required SchemaDifferenceKind Kind { get; init; }

    /// <summary>Gets the element that differs: its kind and its name. Examples are <c>column crawl_events.payload</c>, <c>index
    /// idx_crawl_events_crawl_id</c>, <c>type crawl_status</c> and <c>script 001_crawl_schema.sql</c>. A name is quoted where SQL needs quotes. On a Citus
    /// cluster it may be a node, a setting, or the server.</summary>
    public required string Element { get; init; }

    /// <summary>Gets the definition that the scripts make, in the words of PostgreSQL's catalog; null when the element is extra. For a script, it is the
    /// SHA-256 of the script in this library. For a sequence that is behind its table, it is <c>at least</c> the newest id.</summary>
    public string? Expected { get; init; }

    /// <summary>Gets the definition in the database; null when the element is missing. For a script, it is the SHA-256 of the script that ran. For a
    /// sequence that is behind its table, it is the last id that the sequence gave; 0 when it gave none.</summary>
    public string? Actual { get; init; }

    /// <summary>Gets the statement that mends the difference while no writer runs, for a sequence that is behind its table. For a Citus cluster, gets the
    /// statement or what is to be changed. Null otherwise.</summary>
    public string? Remedy { get; init; }

    /// <summary>Describes the difference in one line.</summary>
    /// <returns>For example <c>missing: index idx_crawl_events_crawl_id: CREATE INDEX …</c>.</returns>
    public override string ToString() => (Kind switch
    {
        SchemaDifferenceKind.Missing => $"missing: {Element}: {Expected}",
        SchemaDifferenceKind.Changed => $"changed: {Element}: expected {Expected}, is {Actual}",
        _ => $"extra: {Element}: {Actual}",
    }).ReplaceLineEndings(" ");
}
