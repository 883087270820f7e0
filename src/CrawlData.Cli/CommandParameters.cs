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

    public static Argument<Guid> Crawl() => new("CRAWL")
    {
        Description = "The crawl's id, as `crawldata runs` shows it.",
        CustomParser = result => ParseOne<Guid>(result, "CRAWL", "a crawl's id, which is a UUID", Guid.TryParse),
    };

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
}
