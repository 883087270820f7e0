namespace CrawlData;

/// <summary>There is no such row: something was to be added to it, or it was to be changed or exported. Nothing of that call was stored, and a transaction of
/// the caller's is still usable.</summary>
public sealed class RowNotFoundException : CrawlDataException
{
    internal RowNotFoundException(string table, IReadOnlyList<Guid> ids)
        : base($"There is no {TableNoun.Of(table)} {string.Join(", ", ids.Take(10))}{(ids.Count > 10 ? $" and {ids.Count - 10} more" : "")}.")
    {
        Table = table;
        Ids = ids;
    }

    /// <summary>The table where it was looked for.</summary>
    public string Table { get; }

    /// <summary>The ids that are not there.</summary>
    public IReadOnlyList<Guid> Ids { get; }
}
