using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Numerics;
using CrawlData.Storage;

namespace CrawlData.Cli;

/// <summary>The arguments and options of several commands. Each error names the values that are allowed.</summary>
internal static class CommandParameters
{
    private static readonly string[] TimeFormats = ["yyyy-MM-dd", "yyyy-MM-ddTHH:mmK", "yyyy-MM-ddTHH:mm:ssK", "yyyy-MM-ddTHH:mm:ss.FFFFFFFK"];

    public delegate bool TryParse<T>(string token, out T value);

    public static Argument<IdText> Crawl(string name = "CRAWL") => Id(name, "crawl", "runs");

    public static Argument<IdText> Session() => Id("SESSION", "session", "sessions");

    public static Option<long?> After() =>
        Optional<long>("--after", "ID", "Only events after this id. To continue reading, give the last id that was read.", "an event's id", TryParseNumber);

    public static Option<string[]> EventTypes() => new("--type")
    {
        Description = "Only events of this type. It is matched exactly. May be given several times.",
        HelpName = "TYPE",
    };

    public static Option<int?> Limit(string description)
    {
        var limit = Positive("--limit", description);
        limit.Aliases.Add("-n");
        return limit;
    }

    public static Option<int?> Positive(string name, string description) =>
        Optional(name, "N", description, "a whole number from 1", (string token, out int value) => TryParseNumber(token, out value) && value > 0);

    public static Option<DateTimeOffset?> Time(string name, string description) => Optional<DateTimeOffset>(
        name,
        "TIME",
        $"{description}: in ISO 8601, without offset in UTC; or so long ago, such as 30m, 1h or 2d.",
        "a time such as 2026-11-23, 2026-11-23T08:30 or 2026-11-23T08:30:00Z, or a duration ago such as 30m, 1h or 2d",
        TryParseTime);

    public static Option<T?> Optional<T>(string name, string helpName, string description, string expected, TryParse<T> parse) where T : struct => new(name)
    {
        Description = description,
        HelpName = helpName,
        CustomParser = result => ParseOne(result, name, expected, parse),
    };

    /// <summary>Makes an option that takes labels of an enum, in upper or lower case, any number of times.</summary>
    public static Option<T[]> Labels<T>(string name, string helpName, string description) where T : struct, Enum
    {
        var option = new Option<T[]>(name)
        {
            Description = $"{description}: one of {JoinLabels<T>()}. Several are given with commas, or each with the option.",
            HelpName = helpName,
            CustomParser = result =>
                ParseAll<T>(result, result.Tokens.SelectMany(token => token.Value.Split(',')), name, $"one of {JoinLabels<T>()}", TryParseLabel),
        };
        option.CompletionSources.Add([.. EnumLabels.All<T>()]);
        return option;
    }

    /// <summary>Makes an option that takes one label of an enum, in upper or lower case.</summary>
    public static Option<T?> Label<T>(string name, string helpName, string description) where T : struct, Enum
    {
        var expected = $"one of {JoinLabels<T>()}";
        var option = Optional<T>(name, helpName, $"{description}: {expected}. The default is {default(T).ToLabel()}.", expected, TryParseLabel);
        option.CompletionSources.Add([.. EnumLabels.All<T>()]);
        return option;
    }

    /// <summary>Makes an option that takes JSON.</summary>
    public static Option<Jsonb?> Json(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "JSON",
        CustomParser = result =>
        {
            try
            {
                return Jsonb.Parse(result.Tokens[0].Value);
            }
            catch (InvalidValueException exception)
            {
                result.AddError($"{name} takes JSON: the text {exception.Reason}");
                return null;
            }
        },
    };

    /// <summary>Makes an option that takes a duration such as 90s, 5m, 12h or 30d.</summary>
    public static Option<TimeSpan?> Duration(string name, string description) =>
        Optional<TimeSpan>(name, "DURATION", description, "a duration such as 90s, 5m, 12h or 30d", TryParseAge);

    /// <summary>Makes the option of the time without a sign of life after which a run or session is stale.</summary>
    public static Option<TimeSpan?> Stale(string description) => Optional<TimeSpan>(
        "--stale",
        "DURATION",
        description,
        "a duration of at least a second, such as 90s, 5m or 12h",
        static (string token, out TimeSpan value) => TryParseAge(token, out value) && value > TimeSpan.Zero);

    /// <summary>Makes an option that takes a duration such as 30d, 12h or 5m.</summary>
    public static Option<TimeSpan?> Age(string name, string description) =>
        Optional<TimeSpan>(name, "AGE", description, "an age such as 30d, 12h, 5m or 90s", TryParseAge);

    /// <summary>Refuses an option beside others.</summary>
    public static void Exclude(Command command, Option option, params Option[] others) => command.Validators.Add(result =>
    {
        var other = others.FirstOrDefault(other => result.GetResult(other) is { Implicit: false });
        if (other is not null && result.GetResult(option) is { Implicit: false })
        {
            result.AddError($"{option.Name} and {other.Name} exclude each other");
        }
    });

    /// <summary>Gets the values of an option that may be given several times; null when it was not given.</summary>
    public static T[]? GetValues<T>(this ParseResult arguments, Option<T[]> option) => arguments.GetResult(option) is null ? null : arguments.GetValue(option);

    public static bool TryParseNumber<T>(string token, out T value) where T : struct, INumber<T> =>
        T.TryParse(token, NumberStyles.None, CultureInfo.InvariantCulture, out value);

    public static T[] ParseAll<T>(ArgumentResult result, string name, string expected, TryParse<T> parse) =>
        ParseAll(result, result.Tokens.Select(token => token.Value), name, expected, parse);

    public static T[] ParseAll<T>(ArgumentResult result, IEnumerable<string> texts, string name, string expected, TryParse<T> parse)
    {
        var values = new List<T>();
        foreach (var text in texts)
        {
            if (!parse(text, out var value))
            {
                result.AddError($"{name} takes {expected}, not '{text}'");
            }

            values.Add(value);
        }

        return [.. values];
    }

    private static T ParseOne<T>(ArgumentResult result, string name, string expected, TryParse<T> parse) => ParseAll(result, name, expected, parse)[0];

    /// <summary>Makes the argument of a crawl's or session's id, or of its first digits.</summary>
    public static Argument<IdText> Id(string name, string noun, string command) => new(name)
    {
        Description = $"The {noun}'s id, or its first digits. `crawldata {command}` lists the ids.",
        CustomParser = result => ParseOne<IdText>(result, name, IdText.Expected(noun), IdText.TryParse),
    };

    private static bool TryParseLabel<T>(string token, out T value) where T : struct, Enum
    {
        var found = EnumLabels.TryParseIgnoringCase<T>(token);
        value = found.GetValueOrDefault();
        return found is not null;
    }

    private static string JoinLabels<T>() where T : struct, Enum => string.Join(", ", EnumLabels.All<T>());

    private static bool TryParseTime(string token, out DateTimeOffset value)
    {
        if (TryParseAge(token, out var age))
        {
            value = DateTimeOffset.UtcNow - age;
            return true;
        }

        return DateTimeOffset.TryParseExact(token, TimeFormats, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out value);
    }

    private static bool TryParseAge(string token, out TimeSpan value)
    {
        // A hundred years: the point in time that long ago is still a valid date.
        const int maxDays = 36_500;
        value = default;
        if (token.Length < 2 || !TryParseNumber(token[..^1], out int count))
        {
            return false;
        }

        var unit = token[^1] switch
        {
            'd' => TimeSpan.FromDays(1),
            'h' => TimeSpan.FromHours(1),
            'm' => TimeSpan.FromMinutes(1),
            's' => TimeSpan.FromSeconds(1),
            _ => TimeSpan.Zero,
        };
        if (unit == TimeSpan.Zero || count > maxDays * (TimeSpan.FromDays(1) / unit))
        {
            return false;
        }

        value = count * unit;
        return true;
    }
}
