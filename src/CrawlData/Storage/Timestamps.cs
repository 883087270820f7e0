namespace CrawlData.Storage;

/// <summary>Instants as PostgreSQL keeps them: UTC, in whole microseconds.</summary>
internal static class Timestamps
{
    /// <summary>Converts to UTC and cuts to microseconds, so that what is read back equals what was given.</summary>
    /// <exception cref="InvalidValueException">The value is one that Npgsql would store as infinity.</exception>
    public static DateTimeOffset Require(DateTimeOffset value, string column)
    {
        var utc = value.ToUniversalTime();
        var cut = utc.AddTicks(-(utc.Ticks % TimeSpan.TicksPerMicrosecond));
        return cut.UtcDateTime == DateTime.MinValue || utc.UtcDateTime == DateTime.MaxValue
            ? throw new InvalidValueException(column, "is DateTimeOffset.MinValue or MaxValue, which PostgreSQL would keep as infinity")
            : cut;
    }

    public static DateTimeOffset? Require(DateTimeOffset? value, string column) => value is { } given ? Require(given, column) : null;

    /// <summary>The value for a <c>timestamp</c> column, which holds UTC and no zone.</summary>
    public static DateTime? ToZoneless(DateTimeOffset? value) => value is { } given ? DateTime.SpecifyKind(given.UtcDateTime, DateTimeKind.Unspecified) : null;
}
