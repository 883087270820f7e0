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

/// <summary>What a row of a table is called.</summary>
internal static class TableNoun
{
    public static string Of(string table) => table switch
    {
        "crawl_runs" => "crawl",
        "audit_sessions" => "session",
        "audit_pages" => "page",
        "artifacts" => "artifact",
        _ => throw new ArgumentOutOfRangeException(nameof(table)),
    };

    public static string Capitalized(string table) => char.ToUpperInvariant(Of(table)[0]) + Of(table)[1..];
}
