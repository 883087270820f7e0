namespace CrawlData.Benchmarks;

/// <summary>How large the suites' seeds are: whole for figures, divided for a run that only shows that they work.</summary>
public static class Scale
{
    public static int Divisor { get; set; } = 1;

    public static int Of(int count) => Math.Max(1, count / Divisor);
}
