namespace CrawlData;

/// <summary>Thrown when a call needs a row that does not exist: to add to it, to change it, to follow it, or to export it. The call stored nothing. The
/// caller's transaction is still usable.</summary>
public sealed class RowNotFoundException : CrawlDataException
{
    private const int IdsInMessage = 10;

    internal RowNotFoundException(string table, IReadOnlyList<Guid> ids)
        : base($"There is no {TableNoun.Of(table)} {List(ids)}.")
    {
        Table = table;
        Ids = ids;
    }

    /// <summary>The table in which the rows do not exist.</summary>
    public string Table { get; }

    /// <summary>The ids that do not exist.</summary>
    public IReadOnlyList<Guid> Ids { get; }

    private static string List(IReadOnlyList<Guid> ids) =>
        string.Join(", ", ids.Take(IdsInMessage)) + (ids.Count > IdsInMessage ? $" and {ids.Count - IdsInMessage} more" : "");
}
