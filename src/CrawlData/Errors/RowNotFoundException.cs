namespace CrawlData;

/// <summary>Thrown when a call adds to, changes, follows or exports a row that does not exist. The call stored nothing. The caller's transaction is still
/// usable.</summary>
public sealed class RowNotFoundException : CrawlDataException
{
    private const int IdsInMessage = 10;

    internal RowNotFoundException(string table, IReadOnlyList<Guid> ids)
        : base($"There is no {TableNoun.Of(table)} {Describe(ids)}.")
    {
        Table = table;
        Ids = ids;
    }

    /// <summary>Gets the table that lacks the rows.</summary>
    public string Table { get; }

    /// <summary>Gets the ids that do not exist.</summary>
    public IReadOnlyList<Guid> Ids { get; }

    private static string Describe(IReadOnlyList<Guid> ids) =>
        string.Join(", ", ids.Take(IdsInMessage)) + (ids.Count > IdsInMessage ? $" and {ids.Count - IdsInMessage} more" : "");
}
