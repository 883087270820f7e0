using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Numerics;

namespace CrawlData.Cli;

/// <summary>The arguments and options of several commands. Each error names the values that are allowed.</summary>
internal static class CommandParameters
{
    private static readonly string[] TimeFormats = ["yyyy-MM-dd", "yyyy-MM-ddTHH:mmK", "yyyy-MM-ddTHH:mm:ssK", "yyyy-MM-ddTHH:mm:ss.FFFFFFFK"];

    public delegate bool TryParse<T>(string token, out T value);

    public static Argument<Guid> Crawl() => Id("CRAWL", "crawl", "runs");

    public static Argument<Guid> Session() => Id("SESSION", "session", "sessions");

    public static Option<long?> After() =>
        Optional<long>("--after", "ID", "Only events after this id. To continue reading, give the last id that was read.", "an event's id", TryParseNumber);

    public static Option<bool> Json() => new("--json") { Description = "Write NDJSON, one row a line, on a terminal too. Redirected output is always NDJSON." };

    public static Option<int?> Limit(string description) => Positive("--limit", description);

    public static Option<int?> Positive(string name, string description) =>
        Optional(name, "N", description, "a whole number from 1", (string token, out int value) => TryParseNumber(token, out value) && value > 0);

    public static Option<DateTimeOffset?> Time(string name, string description) => Optional(
        name,
        "TIME",
        $"{description}, in ISO 8601. A time without offset is UTC.",
        "a time such as 2026-11-23, 2026-11-23T08:30 or 2026-11-23T08:30:00Z",
        (string token, out DateTimeOffset value) =>
            DateTimeOffset.TryParseExact(token, TimeFormats, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out value));

    public static Option<T?> Optional<T>(string name, string helpName, string description, string expected, TryParse<T> parse) where T : struct => new(name)
    {
        Description = description,
        HelpName = helpName,
        CustomParser = result => ParseOne(result, name, expected, parse),
    };

    /// <summary>Makes an option that takes labels of an enum, in upper or lower case, any number of times.</summary>
    public static Option<T[]> Labels<T>(string name, string helpName, string description) where T : struct, Enum => new(name)
    {
        Description = $"{description}: one of {JoinLabels<T>()}. May be given several times.",
        HelpName = helpName,
        CustomParser = result => ParseAll<T>(result, name, $"one of {JoinLabels<T>()}", EnumLabels.TryParse),
    };

    /// <summary>Makes an option that takes a duration such as 30d, 12h or 5m.</summary>
    public static Option<TimeSpan?> Age(string name, string description) =>
        Optional<TimeSpan>(name, "AGE", description, "an age such as 30d, 12h or 5m", TryParseAge);

    /// <summary>Gets the values of an option that may be given several times; null when it was not given.</summary>
    public static T[]? GetValues<T>(this ParseResult arguments, Option<T[]> option) => arguments.GetResult(option) is null ? null : arguments.GetValue(option);

    public static bool TryParseNumber<T>(string token, out T value) where T : struct, INumber<T> =>
        T.TryParse(token, NumberStyles.None, CultureInfo.InvariantCulture, out value);

    public static T[] ParseAll<T>(ArgumentResult result, string name, string expected, TryParse<T> parse)
    {
        var values = new List<T>();
        foreach (var token in result.Tokens)
        {
            if (!parse(token.Value, out var value))
            {
                result.AddError($"{name} takes {expected}, not '{token.Value}'");
            }

            values.Add(value);
        }

        return [.. values];
    }

    private static T ParseOne<T>(ArgumentResult result, string name, string expected, TryParse<T> parse) => ParseAll(result, name, expected, parse)[0];

    private static Argument<Guid> Id(string name, string noun, string command) => new(name)
    {
        Description = $"The {noun}'s id. `crawldata {command}` lists the ids.",
        CustomParser = result => ParseOne<Guid>(result, name, $"a {noun}'s id, which is a UUID", Guid.TryParse),
    };

    private static string JoinLabels<T>() where T : struct, Enum => string.Join(", ", EnumLabels.All<T>());

    private static bool TryParseAge(string token, out TimeSpan value)
    {
        // A hundred years: the point in time that long ago is still a valid date.
        const int maxDays = 36_500;
        value = default;
        if (token.Length < 2 || !TryParseNumber(token[..^1], out int count))
        {
            return false;
        }

        var unit = token[^1] switch { 'd' => TimeSpan.FromDays(1), 'h' => TimeSpan.FromHours(1), 'm' => TimeSpan.FromMinutes(1), _ => TimeSpan.Zero };
        if (unit == TimeSpan.Zero || count > maxDays * (TimeSpan.FromDays(1) / unit))
        {
            return false;
        }

        value = count * unit;
        return true;
    }
}
