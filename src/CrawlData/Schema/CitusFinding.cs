namespace CrawlData.Schema;

/// <summary>Something about a Citus cluster that voids a promise of this library, or that waits for an operator.</summary>
/// <param name="Subject">What it is about.</param>
/// <param name="Value">Its value or state.</param>
/// <param name="Expected">The value that it should have.</param>
/// <param name="Effect">The promise that is void, or the harm.</param>
/// <param name="Remedy">The statement that mends it, or what is to be changed.</param>
internal sealed record CitusFinding(string Subject, string Value, string Expected, string Effect, string Remedy)
{
    public SchemaDifference ToDifference() => new()
    {
        Kind = SchemaDifferenceKind.Changed,
        Element = Subject,
        Expected = Expected,
        Actual = Value,
        Remedy = Remedy,
    };
}
