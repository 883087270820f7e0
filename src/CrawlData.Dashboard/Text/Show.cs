using System.Globalization;

namespace CrawlData.Dashboard.Text;

/// <summary>Numbers, durations and sizes as pages show them, whatever the culture of the server.</summary>
internal static class Show
{
    public static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    public static string Change(long change) => change == 0 ? "0" : $"{(change > 0 ? "+" : "−")}{Number(Math.Abs(change))}";

    public static string Count(long count, string noun) => $"{Number(count)} {noun}{(count == 1 ? "" : "s")}";

    public static string Limit(TimeSpan limit) =>
        limit.TotalSeconds < 1 ? $"{(int)limit.TotalMilliseconds} ms" : string.Create(CultureInfo.InvariantCulture, $"{limit.TotalSeconds:0.#} s");

    public static string Duration(TimeSpan duration) => duration switch
    {
        { Ticks: < 0 } => "less than nothing",
        { TotalDays: >= 2 } => Format(duration.TotalDays, "d"),
        { TotalHours: >= 2 } => Format(duration.TotalHours, "h"),
        { TotalMinutes: >= 2 } => Format(duration.TotalMinutes, "min"),
        { TotalSeconds: >= 10 } => Format(duration.TotalSeconds, "s"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{duration.TotalSeconds:0.##} s"),
    };

    /// <summary>Returns an age, in whole seconds at least. One of a few seconds is negative when clocks differ.</summary>
    public static string Age(TimeSpan age) => age.TotalSeconds is < 1 and > -10 ? "just now"
        : age.Ticks < 0 ? "in the future"
        : $"{Duration(TimeSpan.FromSeconds(Math.Floor(age.TotalSeconds)))} ago";

    public static string Bytes(long bytes) => bytes switch
    {
        >= 1_000_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e9:N1} GB"),
        >= 1_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:N1} MB"),
        >= 1_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e3:N1} kB"),
        _ => $"{bytes} B",
    };

    public static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);

    /// <summary>Returns a time to the microsecond, in UTC, as in the API and in <c>datetime</c> attributes.</summary>
    public static string Iso(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFF'Z'", CultureInfo.InvariantCulture);

    /// <summary>Returns a time for an input of type <c>datetime-local</c>.</summary>
    public static string? Input(DateTimeOffset? time) => time?.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss", CultureInfo.InvariantCulture);

    private static string Format(double value, string unit) => string.Create(CultureInfo.InvariantCulture, $"{Math.Floor(value):N0} {unit}");
}
