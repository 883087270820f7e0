namespace CrawlData.Tests.Faults.Checker;

/// <summary>A promise that a history breaks, and the operations that show it.</summary>
internal sealed record Violation(Promise Promise, string Subject, IReadOnlyList<Operation> Operations)
{
    private const int MostOperations = 12;

    public override string ToString()
    {
        var operations = Operations.Distinct().OrderBy(operation => operation.Invoked).ToList();
        var more = operations.Count > MostOperations ? $"\n    … {operations.Count - MostOperations} more" : "";
        return $"{Promise}: {Subject}\n{string.Join('\n', operations.Take(MostOperations).Select(operation => $"    {operation}"))}{more}";
    }
}
