using System.Buffers.Text;
using System.Text;
using System.Text.Json;

namespace CrawlData.Tests.Security;

/// <summary>Values that break what does not look.</summary>
internal static class HostileValues
{
    private const string Astral = "\U0001D4B3";

    private static readonly string Megabyte = new('m', 1 << 20);

    public static readonly string[] Texts =
    [
        "", " ", "\u00A0\u3000", "trailing   ", "'", "\"", "'; drop table crawl_events; --", "\\", "\\'\\x00\\u0000", "$body$", "$1 @crawl_id :id ?",
        "{0} {crawl} %s %n", "null", "<!--]]>",
        "\0", "a\0b", "\uD83D", "low \uDC00", "end\uD83D", "\uDC00\uD83D", "\uFFFF\uFFFE\uFFFD", "\U0001F469\u200D\U0001F4BB\U0001F389",
        "\u202E\u200F\u2066abc", "a\r\n\t\u0085\u2028\u0001\u007Fb",
        .. new[] { 50, 51, 255, 256, 500, 501 }.SelectMany(
            length => new[] { new string('x', length), string.Concat(Enumerable.Repeat(Astral, length)), new string(' ', length) }),
        Megabyte, Megabyte + "\0", string.Concat(Enumerable.Repeat("\u00E9" + Astral + "'\\", 200_000)),
    ];

    public static readonly string[] Urls =
    [
        .. Texts, .. Texts.Where(text => text.Length < 1_000).SelectMany(text => new[] { $"https://example.org/{text}?q={text}#{text}", $"https://{text}/" }),
        $"https://example.org/{Megabyte}", "http://", "http:///", "http://\uFFFF/", "http://a\u200Db/", "http://\u00AD/", "http://[::1", "http://[::1]:0/",
        "http://1.2.3.4.5:99999/", "http://xn--a/", "http://xn--\u00FC/",
        "http://a b/", "http://user:pass@example.org/", "http://..../", "javascript:alert(1)", "file:///etc/passwd", "HTTP://EXAMPLE.ORG:80/../a/./b%00%FF%zz",
    ];

    public static readonly string[] Cursors =
    [
        .. Texts, "AA", "====", Base64Url.EncodeToString(new byte[25]), Base64Url.EncodeToString(new byte[17]),
        .. Enum.GetValues<CursorKind>().SelectMany(kind => new[] { -1, long.MinValue, long.MaxValue, 0, DateTime.UtcNow.Ticks, DateTime.MaxValue.Ticks }
            .SelectMany(ticks => new[] { Cursor(kind, ticks, 8), Cursor(kind, ticks, 16), Cursor(kind, ticks, 24), Cursor(kind, ticks, 32) })),
        Cursor(CursorKind.RunsNewestFirst, 0, 16) + "=", " " + Cursor(CursorKind.RunsNewestFirst, 0, 16), Cursor(CursorKind.RunsNewestFirst, 0, 17), Cursor(CursorKind.RunsNewestFirst, 0, 16)[..^1],
    ];

    public static readonly object[] Times =
    [
        default(DateTimeOffset), DateTimeOffset.MinValue, DateTimeOffset.MaxValue, DateTimeOffset.MinValue.AddTicks(1), DateTimeOffset.MinValue.AddTicks(10),
        DateTimeOffset.MaxValue.AddTicks(-1), DateTimeOffset.MaxValue.AddTicks(-10),
        new DateTimeOffset(1, 1, 1, 14, 0, 0, TimeSpan.FromHours(14)), new DateTimeOffset(9999, 12, 31, 9, 59, 59, TimeSpan.FromHours(-14)),
        new DateTimeOffset(2026, 11, 23, 8, 0, 0, TimeSpan.FromHours(14)), new DateTimeOffset(1582, 10, 10, 0, 0, 0, TimeSpan.Zero),
        new DateTimeOffset(2026, 11, 23, 8, 30, 0, new TimeSpan(5, 45, 0)).AddTicks(1_234_567), new DateTimeOffset(9899, 12, 31, 23, 59, 59, TimeSpan.Zero),
        new DateTimeOffset(9900, 1, 1, 0, 0, 0, TimeSpan.Zero),
    ];

    public static readonly object[] Spans =
    [
        TimeSpan.Zero, TimeSpan.FromTicks(-1), TimeSpan.FromTicks(1), TimeSpan.FromMicroseconds(1), TimeSpan.MinValue, TimeSpan.MaxValue,
        Timeout.InfiniteTimeSpan, TimeSpan.FromMilliseconds(1.5),
        TimeSpan.FromMinutes(1), TimeSpan.FromHours(1), TimeSpan.FromDays(1), TimeSpan.FromDays(25), TimeSpan.FromDays(36_500), TimeSpan.FromDays(36_501),
        TimeSpan.FromMilliseconds(int.MaxValue), TimeSpan.FromMilliseconds(uint.MaxValue),
    ];

    public static readonly object[] Ints = [0, -1, 1, 1_000, 1_001, int.MinValue, int.MaxValue - 1, int.MaxValue];

    public static readonly object[] Longs = [0L, -1L, 1L, int.MaxValue + 1L, long.MinValue, long.MaxValue - 1, long.MaxValue];

    public static readonly object[] Guids = [Guid.Empty, Guid.AllBitsSet, new Guid("11111111-2222-3333-4444-555555555555")];

    /// <summary>JSON as text; what is no JSON, too.</summary>
    public static readonly string[] JsonTexts =
    [
        "", " ", "null", "nul", "{}", "[]", "[1,]", "{\"a\":1,}", "/* comment */ 1", "1 // comment", "\uFEFF{}", "{} {}", "'single'", "NaN", "[Infinity]",
        "01", "+1", "1.", ".5", "-", "-0", "1E2", "1e400", "1e-999", "1e999", "1e1000", "1e130000",
        "1e999999999999999999999", $"[{new string('9', 1_000)}]", $"[{new string('9', 1_001)}]", "{\"a\":1,\"a\":2}", "{\"\":{\"\":\"\"}}", "\"\\u0000\"",
        "{\"a\\u0000\":1}", "\"\0\"", "\"\\uD83D\"", "\"\\uDC00\\uD83D\"", "\"\uD83D\"", "\"\\uD83D\\uDE00\"",
        "\"\\\\u0000\"", "\"'; drop table crawl_events; --\"", "\"$body$ {0} %s\"", "\"\uFFFF\"", "\"\u202E\"", "\"a\nb\"", Nested(64), Nested(65),
        Nested(1_000), Nested(1_001), Nested(100_000), NestedObjects(1_000),
        JsonString(1 << 20),
    ];

    public static readonly string LargeJson = JsonString(10 << 20);

    /// <summary>All that can be made of them.</summary>
    public static readonly object[] Jsonbs = [default(Jsonb), .. JsonTexts.Select(TryParse).OfType<Jsonb>()];

    /// <summary>All that can be read, by whatever options.</summary>
    public static readonly object[] Elements = [default(JsonElement), .. JsonTexts.Select(TryRead).OfType<JsonElement>()];

    public static readonly object[] Objects =
    [
        double.NaN, float.NegativeInfinity, double.MaxValue, double.Epsilon, decimal.MaxValue, '\uD800', '\0', new Dictionary<string, int> { ["\0"] = 1 },
        new Dictionary<string, int> { ["\uDC00"] = 1 },
        new[] { "\uD83D" }, DateTimeOffset.MaxValue, new byte[] { 0xFF },
    ];

    public static readonly string[] ConnectionStrings =
    [
        .. Texts.Where(text => text.Length < 1_000), "Host=localhost", "Host=localhost;Minimum Pool Size=2;Maximum Pool Size=1", "Host=localhost;Port=-1",
        "Host=localhost;Port=99999", "Host=localhost;Timeout=-1",
        "Host=a,b;Multiplexing=true;Pooling=false", "Host=localhost;Host=", "postgresql://me:secret@localhost/crawls", "Host=localhost;SSL Mode=99", "Host=",
        $"Host={Megabyte}",
    ];

    public static readonly object[] JsonBytes =
    [
        .. JsonTexts.Select(Encoding.UTF8.GetBytes), new byte[] { 0xFF }, new byte[] { (byte)'"', 0xC3, (byte)'"' },
        new byte[] { (byte)'"', 0xED, 0xA0, 0x80, (byte)'"' }, new byte[] { 0 }, new byte[] { 0xFE, 0xFF, 0, (byte)'1' },
    ];

    /// <summary>Its own values, and some that are none.</summary>
    public static object[] Enums(Type type) =>
        [.. Enum.GetValuesAsUnderlyingType(type).Cast<int>().Concat([99, -1, int.MinValue]).Select(value => Enum.ToObject(type, value))];

    private static string Nested(int levels) => new string('[', levels) + new string(']', levels);

    private static string NestedObjects(int levels) => string.Concat(Enumerable.Repeat("{\"a\":", levels)) + "1" + new string('}', levels);

    private static string JsonString(int length) => $"\"{new string('j', length)}\"";

    // A byte for the version, the time, the id.
    private static string Cursor(CursorKind kind, long ticks, int idLength)
    {
        var bytes = new byte[1 + sizeof(long) + idLength];
        bytes[0] = (byte)kind;
        System.Buffers.Binary.BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(1), ticks);
        return Base64Url.EncodeToString(bytes);
    }

    private static JsonElement? TryRead(string json)
    {
        try
        {
            var any = new JsonDocumentOptions { MaxDepth = int.MaxValue, AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip };
            return JsonDocument.Parse(json, any).RootElement;
        }
        catch (Exception exception) when (exception is JsonException or ArgumentException)
        {
            return null;
        }
    }

    private static Jsonb? TryParse(string json)
    {
        try
        {
            return Jsonb.Parse(json, new JsonbOptions { MaxDepth = JsonbOptions.LargestMaxDepth, MaxBytes = JsonbOptions.LargestMaxBytes });
        }
        catch (InvalidValueException)
        {
            return null;
        }
    }
}
