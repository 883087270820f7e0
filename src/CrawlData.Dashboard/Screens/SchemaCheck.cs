using CrawlData.Schema;

namespace CrawlData.Dashboard.Screens;

/// <summary>What <c>crawldata verify</c> finds: the differences between the schema and what its scripts make.</summary>
/// <param name="Differences">The differences; null when the schema was not compared.</param>
/// <param name="Reason">Why it was not compared, as sentences; null when it was.</param>
internal sealed record SchemaCheck(IReadOnlyList<SchemaDifference>? Differences, string? Reason)
{
    public object Twin => new
    {
        Differences = Differences?.Select(one => new { Kind = LabelOf(one), one.Element, one.Expected, one.Actual, one.Remedy }),
        NotComparedBecause = Reason,
    };

    /// <summary>Compares the schema. A role that may not, a standby, and a comparison that takes too long are reasons, and no errors of the page.</summary>
    /// <param name="compare">Compares the schema.</param>
    public static async Task<SchemaCheck> RunAsync(Func<Task<IReadOnlyList<SchemaDifference>>> compare)
    {
        try
        {
            return new SchemaCheck(await compare().ConfigureAwait(false), null);
        }
        catch (MigrationException exception)
        {
            return new SchemaCheck(null, exception.Message);
        }
        catch (TimeoutException)
        {
            return new SchemaCheck(null, "The comparison took too long, and was cancelled. Run crawldata verify.");
        }
    }

    /// <summary>Returns the label of a difference's kind.</summary>
    public static string LabelOf(SchemaDifference difference) => difference.Kind switch
    {
        SchemaDifferenceKind.Missing => "missing",
        SchemaDifferenceKind.Changed => "changed",
        _ => "extra",
    };
}
