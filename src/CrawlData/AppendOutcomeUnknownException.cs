namespace CrawlData;

/// <summary>The connection was lost while an append was committed, and the server could not be asked within <see cref="RetryOptions.Limit"/> what became of it. It
/// is stored whole or not at all.</summary>
public sealed class AppendOutcomeUnknownException : CrawlDataException
{
    internal AppendOutcomeUnknownException(string table, IReadOnlyList<long> ids, Exception innerException)
        : base($"Whether {ids.Count} rows of {table} are stored is not known: the connection was lost in the COMMIT, and the server could not be asked.", innerException)
    {
        Table = table;
        Ids = ids;
    }

    /// <summary>The table appended to.</summary>
    public string Table { get; }

    /// <summary>The ids that the rows have if they are stored, in their order: looking for one of them tells of all.</summary>
    public IReadOnlyList<long> Ids { get; }
}
