namespace CrawlData.Benchmarks;

/// <summary>Checks that a benchmark did its work: one that reads no rows is fast.</summary>
public static class RowCount
{
    /// <returns>The actual count.</returns>
    /// <exception cref="InvalidOperationException">The actual count is not the expected one.</exception>
    public static int Require(int expected, int actual) =>
        actual == expected ? actual : throw new InvalidOperationException($"Expected {expected} rows, got {actual}.");
}
