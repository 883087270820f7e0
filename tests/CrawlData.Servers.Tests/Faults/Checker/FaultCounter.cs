using System.Collections.Concurrent;

namespace CrawlData.Tests.Faults.Checker;

/// <summary>Counts injected faults by kind.</summary>
internal sealed class FaultCounter
{
    private readonly ConcurrentDictionary<string, int> counts = [];

    public void Add(string kind) => counts.AddOrUpdate(kind, 1, (_, count) => count + 1);

    public override string ToString() => string.Join(", ", counts.OrderBy(one => one.Key, StringComparer.Ordinal).Select(one => $"{one.Key} {one.Value:N0}"));
}
