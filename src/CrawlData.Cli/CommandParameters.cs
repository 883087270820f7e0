using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Numerics;

namespace CrawlData.Cli;

/// <summary>The arguments and options that several commands take, with errors that say what would be right.</summary>
internal static class CommandParameters
{
    private static readonly string[] TimeFormats = ["yyyy-MM-dd", "yyyy-MM-ddTHH:mmK", "yyyy-MM-ddTHH:mm:ssK", "yyyy-MM-ddTHH:mm:ss.FFFFFFFK"];

    public delegate bool TryParse<T>(string token, out T value);

    public static Argument<Guid> Crawl() => Id("CRAWL", "crawl", "runs");

    public static Argument<Guid> Session() => Id("SESSION", "session", "sessions");

    public static Option<long?> After() =>
        Optional<long>("--after", "ID", "Only events after this one: the last id seen, to go on reading.", "an event's id", TryParseNumber);

    public static Option<bool> Json() => new("--json") { Description = "Write NDJSON, a row a line, on a terminal too; redirected output always is." };

    public static Option<int?> Limit(string description) =>
        Optional("--limit", "N", description, "a whole number from 1", (string token, out int value) => TryParseNumber(token, out value) && value > 0);

    public static Option<DateTimeOffset?> Time(string name, string description) => Optional(
        name, "TIME", $"{description}: ISO 8601, in UTC where it has no offset.", "a time such as 2026-11-23, 2026-11-23T08:30 or 2026-11-23T08:30:00Z",
        (string token, out DateTimeOffset value) => DateTimeOffset.TryParseExact(token, TimeFormats, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out value));

    public static Option<T?> Optional<T>(string name, string helpName, string description, string expected, TryParse<T> parse) where T : struct => new(name)
    {
        Description = description,
        HelpName = helpName,
        CustomParser = result => ParseOne(result, name, expected, parse),
    };

    /// <summary>An option that takes an enum's labels, in any case, and may be given several times.</summary>
    public static Option<T[]> Labels<T>(string name, string helpName, string description) where T : struct, Enum => new(name)
    {
        Description = $"{description}, one of {Labels<T>()}; may be given several times.",
        HelpName = helpName,
        CustomParser = result => ParseAll<T>(result, name, $"one of {Labels<T>()}", TryParseLabel),
    };

    /// <summary>An option that takes a time such as 30d, 12h or 5m.</summary>
    public static Option<TimeSpan?> Age(string name, string description) =>
        Optional<TimeSpan>(name, "AGE", description, "an age such as 30d, 12h or 5m", TryParseAge);

    /// <summary>What an option that takes several values was given; null when it was not given at all.</summary>
    public static T[]? GetGiven<T>(this ParseResult arguments, Option<T[]> option) => arguments.GetResult(option) is null ? null : arguments.GetValue(option);

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
        Description = $"The {noun}'s id, as `crawldata {command}` shows it.",
        CustomParser = result => ParseOne<Guid>(result, name, $"a {noun}'s id, which is a UUID", Guid.TryParse),
    };

    private static string Labels<T>() where T : struct, Enum => string.Join(", ", EnumLabels.All<T>());

    private static bool TryParseLabel<T>(string token, out T value) where T : struct, Enum
    {
        var found = EnumLabels.TryParse<T>(EnumLabels.All<T>().FirstOrDefault(label => label.Equals(token, StringComparison.OrdinalIgnoreCase)));
        value = found.GetValueOrDefault();
        return found is not null;
    }

    private static bool TryParseAge(string token, out TimeSpan value)
    {
        // At most a hundred years, as far as dates go back.
        const int mostDays = 36_500;
        value = default;
        if (token.Length < 2 || !TryParseNumber(token[..^1], out int count))
        {
            return false;
        }

        var unit = token[^1] switch { 'd' => TimeSpan.FromDays(1), 'h' => TimeSpan.FromHours(1), 'm' => TimeSpan.FromMinutes(1), _ => TimeSpan.Zero };
        if (unit == TimeSpan.Zero || count > mostDays * (TimeSpan.FromDays(1) / unit))
        {
            return false;
        }

        value = count * unit;
        return true;
    }
}
