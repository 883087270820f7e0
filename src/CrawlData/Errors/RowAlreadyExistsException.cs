namespace CrawlData;

/// <summary>A row with that id exists already. Nothing of that call was stored, and a transaction of the caller's is aborted, as after any error of the
/// server.</summary>
public sealed class RowAlreadyExistsException : CrawlDataException
{
    internal RowAlreadyExistsException(string table, IReadOnlyList<Guid> ids, Exception innerException)
        : base(ids is [var id] ? $"{TableNoun.Capitalized(table)} {id} exists already." : $"One of {ids.Count} {TableNoun.Of(table)}s exists already.", innerException)
    {
        Table = table;
        Ids = ids;
    }

    /// <summary>The table that it is in.</summary>
    public string Table { get; }

    /// <summary>The id that is taken; of a batch all ids, one of which is.</summary>
    public IReadOnlyList<Guid> Ids { get; }
}
