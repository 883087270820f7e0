namespace CrawlData;

/// <summary>Thrown when a row does not exist that a call adds to, changes, follows, or exports. The call stored nothing, and a transaction of the caller's is
/// still usable.</summary>
public sealed class RowNotFoundException : CrawlDataException
{
    private const int IdsInMessage = 10;

    internal RowNotFoundException(string table, IReadOnlyList<Guid> ids)
        : base($"There is no {TableNoun.Of(table)} {string.Join(", ", ids.Take(IdsInMessage))}{(ids.Count > IdsInMessage ? $" and {ids.Count - IdsInMessage} more" : "")}.")
    {
        Table = table;
        Ids = ids;
    }

    /// <summary>The table that lacks the rows.</summary>
    public string Table { get; }

    /// <summary>The ids that do not exist.</summary>
    public IReadOnlyList<Guid> Ids { get; }
}
