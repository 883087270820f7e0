namespace CrawlData.Storage;

/// <summary>Converts instants to the form that PostgreSQL stores: UTC, in whole microseconds.</summary>
internal static class Timestamps
{
    /// <summary>Converts an instant to UTC, and cuts it to microseconds. So the value that is read back equals the value that was stored.</summary>
    /// <exception cref="InvalidValueException">Npgsql would store the value as infinity.</exception>
    public static DateTimeOffset Require(DateTimeOffset value, string column)
    {
        var utc = value.ToUniversalTime();
        var cut = utc.AddTicks(-(utc.Ticks % TimeSpan.TicksPerMicrosecond));
        return cut.UtcDateTime == DateTime.MinValue || utc.UtcDateTime == DateTime.MaxValue
            ? throw new InvalidValueException(column, "is DateTimeOffset.MinValue or MaxValue, which PostgreSQL would store as infinity")
            : cut;
    }

    /// <inheritdoc cref="Require(DateTimeOffset, string)"/>
    public static DateTimeOffset? Require(DateTimeOffset? value, string column) => value is { } given ? Require(given, column) : null;

    /// <summary>Gets the value for a <c>timestamp</c> column, which holds UTC without a zone.</summary>
    public static DateTime? ToZoneless(DateTimeOffset? value) => value is { } given ? DateTime.SpecifyKind(given.UtcDateTime, DateTimeKind.Unspecified) : null;
}
