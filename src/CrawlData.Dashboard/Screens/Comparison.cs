using CrawlData.Crawls;
using CrawlData.Dashboard.Text;

namespace CrawlData.Dashboard.Screens;

/// <summary>Two runs, and what differs between their events.</summary>
internal sealed record Comparison : IScreen
{
    public string Title => $"{Older.AppPackage}: two runs";

    public required CrawlRun Older { get; init; }

    public required CrawlRun Newer { get; init; }

    public required string Key { get; init; }

    public required string? Type { get; init; }

    /// <summary>Gets the names of the properties that are compared, with commas between; null for all.</summary>
    public required string? Properties { get; init; }

    public required IReadOnlyDictionary<CrawlDifferenceKind, long> Counts { get; init; }

    /// <summary>Gets the first differences, as many as a page may have rows.</summary>
    public required IReadOnlyList<CrawlDifference> Differences { get; init; }

    public required CrawlEventSummary OlderStats { get; init; }

    public required CrawlEventSummary NewerStats { get; init; }

    /// <summary>Gets the types of both runs with their counts, the most frequent first, as many as a page may have rows.</summary>
    public IEnumerable<(string Type, long Older, long Newer)> Types => OlderStats.CountByType.Keys.Union(NewerStats.CountByType.Keys)
        .Select(type => (Type: type, Older: OlderStats.CountByType.GetValueOrDefault(type), Newer: NewerStats.CountByType.GetValueOrDefault(type)))
        .OrderByDescending(row => row.Older + row.Newer).ThenBy(row => row.Type, StringComparer.Ordinal).Take(Query.MaxPageSize);

    public object Twin => new
    {
        Older,
        Newer,
        Counts = Counts.ToDictionary(count => count.Key.ToLabel(), count => count.Value),
        Differences,
        OlderCountByType = OlderStats.CountByType,
        NewerCountByType = NewerStats.CountByType,
    };

    public static async Task<Comparison?> ReadAsync(ScreenRequest request)
    {
        var (query, rows) = (request.Query, request.Rows);
        var (firstId, secondId) = query.TwoRuns();
        if (await rows.GetRunAsync(firstId).ConfigureAwait(false) is not { } first || await rows.GetRunAsync(secondId).ConfigureAwait(false) is not { } second)
        {
            return null;
        }

        var (older, newer) = first.CreatedAt <= second.CreatedAt ? (first, second) : (second, first);
        var comparison = new CrawlComparisonOptions
        {
            Key = query.Text("key") ?? new CrawlComparisonOptions().Key,
            EventTypes = query.Text("type") is { } type ? [type] : null,
            Properties = query.Text("properties")?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries),
        };
        var (differences, counts) = await rows.CompareAsync(older.Id, newer.Id, comparison, Query.MaxPageSize).ConfigureAwait(false);
        return new Comparison
        {
            Older = older,
            Newer = newer,
            Key = comparison.Key,
            Type = query.Text("type"),
            Properties = query.Text("properties"),
            Counts = counts,
            Differences = differences,
            OlderStats = await rows.SummarizeAsync(older.Id).ConfigureAwait(false),
            NewerStats = await rows.SummarizeAsync(newer.Id).ConfigureAwait(false),
        };
    }
}
