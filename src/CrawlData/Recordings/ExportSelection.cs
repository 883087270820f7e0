namespace CrawlData.Recordings;

/// <summary>Selects the rows of a crawl or an audit session that an export has.</summary>
internal sealed record ExportSelection
{
    public static readonly ExportSelection All = new();

    /// <summary>The only table; all when null.</summary>
    public string? Table { get; init; }

    /// <summary>Only events with a greater id; no lower bound when null.</summary>
    public long? AfterId { get; init; }

    public bool Includes(string table) => Table is null || Table == table;
}
