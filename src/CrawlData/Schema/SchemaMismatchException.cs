namespace CrawlData.Schema;

/// <summary>Thrown when a database that was made by hand cannot be adopted. It has some of a script's objects, and differs from what the script makes. Nothing
/// was changed.</summary>
public sealed class SchemaMismatchException : MigrationException
{
    private const int DifferencesInMessage = 10;

    internal SchemaMismatchException(string script, IReadOnlyList<SchemaDifference> differences)
        : base(script, $"The database differs from what {script} makes: {Describe(differences)}.") => Differences = differences;

    /// <summary>Gets all differences.</summary>
    public IReadOnlyList<SchemaDifference> Differences { get; }

    private static string Describe(IReadOnlyList<SchemaDifference> differences) =>
        string.Join("; ", differences.Take(DifferencesInMessage)) + (differences.Count > DifferencesInMessage ? "; and more" : "");
}
