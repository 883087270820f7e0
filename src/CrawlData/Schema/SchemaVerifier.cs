using Npgsql;

namespace CrawlData.Schema;

/// <summary>Compares a schema with the schema that the scripts make.</summary>
/// <param name="scripts">All scripts, in their order.</param>
internal sealed class SchemaVerifier(IReadOnlyList<SchemaScript> scripts)
{
    /// <summary>Finds the differences between the schema and what the scripts that ran make.</summary>
    public async Task<IReadOnlyList<SchemaDifference>> VerifyAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var comparison = await SchemaComparison.ReadAsync(connection, scripts, cancellationToken).ConfigureAwait(false);
        var expected = comparison.Executed.Count == 0 ? new SchemaCatalog([]) : comparison.Journal;
        for (var script = 0; script < scripts.Count; script++)
        {
            if (comparison.Executed.ContainsKey(scripts[script].Name))
            {
                var (before, after) = (comparison.Before(script), comparison.After[script]);
                expected = expected.Except(before.Except(after)).Merge(after.Except(before));
            }
        }

        if (comparison.Placement is { IsByCrawl: true })
        {
            expected = expected.DistributedByCrawl();
        }

        return [.. CompareScripts(comparison.Executed), .. comparison.Actual.DifferencesFrom(expected), .. comparison.Others];
    }

    /// <summary>Finds the pending scripts whose results the schema already holds.</summary>
    /// <exception cref="SchemaMismatchException">The schema holds a part of a script's results.</exception>
    public async Task<IReadOnlyList<SchemaScript>> FindAdoptableAsync(
        NpgsqlConnection connection, IReadOnlyList<SchemaScript> pending, CancellationToken cancellationToken)
    {
        var comparison = await SchemaComparison.ReadAsync(connection, scripts, cancellationToken).ConfigureAwait(false);
        var last = Enumerable.Range(0, scripts.Count).LastOrDefault(
            script => comparison.Actual.HasAnyOf(comparison.After[script].Except(comparison.Before(script))), -1);
        if (last < 0)
        {
            return [];
        }

        var differences = comparison.Actual.DifferencesFrom(comparison.After[last]);
        return differences.Count == 0
            ? [.. pending.TakeWhile(script => string.CompareOrdinal(script.Name, scripts[last].Name) <= 0)]
            : throw new SchemaMismatchException(scripts[last].Name, differences);
    }

    private IEnumerable<SchemaDifference> CompareScripts(IReadOnlyDictionary<string, string> executed) =>
    [
        .. scripts.Where(script => !executed.ContainsKey(script.Name))
            .Select(script => new SchemaDifference { Kind = SchemaDifferenceKind.Missing, Element = $"script {script.Name}", Expected = script.Hash }),
        .. scripts.Where(script => executed.TryGetValue(script.Name, out var hash) && hash != script.Hash).Select(script => new SchemaDifference
        {
            Kind = SchemaDifferenceKind.Changed,
            Element = $"script {script.Name}",
            Expected = script.Hash,
            Actual = executed[script.Name],
        }),
        .. executed.Where(run => scripts.All(script => script.Name != run.Key)).OrderBy(run => run.Key, StringComparer.Ordinal)
            .Select(run => new SchemaDifference { Kind = SchemaDifferenceKind.Extra, Element = $"script {run.Key}", Actual = run.Value }),
    ];
}
