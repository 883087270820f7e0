namespace CrawlData;

/// <summary>Times that are given as how long.</summary>
internal static class Durations
{
    /// <summary>The least that PostgreSQL tells from none.</summary>
    public static readonly TimeSpan Least = TimeSpan.FromMicroseconds(1);

    /// <summary>A hundred years: from now, as far as anybody keeps anything, and within the dates of both PostgreSQL and .NET.</summary>
    public static readonly TimeSpan Most = TimeSpan.FromDays(36_500);

    /// <exception cref="InvalidValueException">The value is out of range.</exception>
    public static TimeSpan Require(TimeSpan value, string field, TimeSpan least, TimeSpan most) =>
        value >= least && value <= most ? value : throw new InvalidValueException(field, $"is {value}; it takes {least} to {most}");
}
