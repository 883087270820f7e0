namespace CrawlData;

/// <summary>A transition, or another change that the row has to allow, had to be applied and was refused: the row, as it is, does not allow it.
/// Nothing was changed.</summary>
public sealed class TransitionRefusedException : CrawlDataException
{
    internal TransitionRefusedException(string table, Guid id, string standing)
        : base($"{TableNoun.Capitalized(table)} {id} {standing}, which does not allow the transition.")
    {
        Table = table;
        Id = id;
    }

    /// <summary>The table that the row is in.</summary>
    public string Table { get; }

    /// <summary>The row's id.</summary>
    public Guid Id { get; }
}
