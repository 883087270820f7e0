namespace CrawlData;

/// <summary>Thrown when a row with that id already exists. The call stored nothing. The caller's transaction is aborted, as after any error of the
/// server.</summary>
public sealed class RowAlreadyExistsException : CrawlDataException
{
    internal RowAlreadyExistsException(string table, IReadOnlyList<Guid> ids, Exception innerException)
        : base(
            ids is [var id] ? $"{TableNoun.Capitalized(table)} {id} exists already." : $"One of {ids.Count} {TableNoun.Of(table)}s exists already.",
            innerException)
    {
        Table = table;
        Ids = ids;
    }

    /// <summary>Gets the table that has the row.</summary>
    public string Table { get; }

    /// <summary>Gets the id that exists already. For a batch, gets all its ids; at least one of them exists already.</summary>
    public IReadOnlyList<Guid> Ids { get; }
}
