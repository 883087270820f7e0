namespace CrawlData.Storage;

/// <summary>Checks times that callers give, and cuts them to what PostgreSQL stores: UTC, in whole microseconds.</summary>
internal static class Timestamps
{
    /// <summary>Converts an instant to UTC, and cuts it to microseconds. So the value that is read back equals the value that was stored.</summary>
    /// <exception cref="InvalidValueException">The value is the least or the greatest, which stand for infinity elsewhere.</exception>
    public static DateTimeOffset Require(DateTimeOffset value, string column)
    {
        var utc = value.ToUniversalTime();
        var cut = utc.AddTicks(-(utc.Ticks % TimeSpan.TicksPerMicrosecond));
        return cut.UtcDateTime == DateTime.MinValue || utc.UtcDateTime == DateTime.MaxValue
            ? throw new InvalidValueException(column, "is DateTimeOffset.MinValue or MaxValue, which Npgsql takes for infinity")
            : cut;
    }

    /// <inheritdoc cref="Require(DateTimeOffset, string)"/>
    public static DateTimeOffset? Require(DateTimeOffset? value, string column) => value is { } given ? Require(given, column) : null;

    /// <inheritdoc cref="Require(DateTimeOffset, string)"/>
    public static Instant? ToInstant(DateTimeOffset? value, string column) => Instant.From(Require(value, column));
}
