namespace CrawlData.Schema;

/// <summary>A database that was made by hand cannot be adopted: it has some of a script's objects, and they are not as the script makes them. Nothing was
/// changed.</summary>
public sealed class SchemaMismatchException : MigrationException
{
    internal SchemaMismatchException(string script, IReadOnlyList<SchemaDifference> differences)
        : base(script, $"The database is not as {script} makes it: {string.Join("; ", differences.Take(10))}{(differences.Count > 10 ? "; and more" : "")}.") =>
        Differences = differences;

    /// <summary>Each difference.</summary>
    public IReadOnlyList<SchemaDifference> Differences { get; }
}
