using System.Globalization;

namespace CrawlData.Benchmarks;

/// <summary>The times and allocations of one method's runs.</summary>
public sealed record Measurement
{
    public required string Name { get; init; }

    /// <summary>Gets the times of the runs, in ascending order.</summary>
    public required IReadOnlyList<TimeSpan> Times { get; init; }

    /// <summary>Gets the bytes that the runs allocated, in ascending order.</summary>
    public required IReadOnlyList<long> Bytes { get; init; }

    public TimeSpan Median => Quantile(0.5);

    public long MedianBytes => Bytes[Bytes.Count / 2];

    public TimeSpan Quantile(double quantile) => Times[(int)Math.Ceiling(quantile * Times.Count) - 1];

    public static string Format(TimeSpan time) =>
        time.TotalMilliseconds.ToString(time.TotalMilliseconds < 10 ? "0.00" : "0.0", CultureInfo.InvariantCulture) + " ms";
}
