using System.Text;
using System.Text.Json;

namespace CrawlData.Tests.Security;

/// <summary>JSON that is unusual, and text that is not JSON or that jsonb cannot store.</summary>
internal static class MalformedJson
{
    public static readonly string[] Accepted =
    [
        "null", "{}", "[]", "-0", "1E2", "1e400", "1e-999", "1e999", $"[{new string('9', 1_000)}]", "{\"a\":1,\"a\":2}", "{\"\":{\"\":\"\"}}",
        "\"\\uD83D\\uDE00\"", "\"\\\\u0000\"", "\"'; drop table crawl_events; --\"", "\"$body$ {0} %s\"", "\"\uFFFF\"", "\"\u202E\"",
        Nested(64), Nested(65), Nested(1_000), string.Concat(Enumerable.Repeat("{\"a\":", 1_000)) + "1" + new string('}', 1_000), String(1 << 20),
    ];

    /// <summary>Malformed JSON that a lenient reader takes.</summary>
    public static readonly string[] RefusedButReadable = ["[1,]", "{\"a\":1,}"];

    /// <summary>Well-formed JSON that jsonb cannot store.</summary>
    public static readonly string[] NotStorable =
    [
        "1e1000", "1e130000", "1e999999999999999999999", $"[{new string('9', 1_001)}]", "\"\\u0000\"", "{\"a\\u0000\":1}", "\"\\uD83D\"",
        "\"\\uDC00\\uD83D\"", Nested(1_001), Nested(100_000),
    ];

    public static readonly string[] Refused =
    [
        "", " ", "nul", "/* comment */ 1", "1 // comment", "\uFEFF{}", "{} {}", "'single'", "NaN", "[Infinity]", "01", "+1", "1.", ".5", "-", "\"\0\"",
        "\"\uD83D\"", "\"a\nb\"", .. RefusedButReadable, .. NotStorable,
    ];

    public static readonly string Large = String(10 << 20);

    /// <summary>Refused JSON as bytes, and bytes that are not UTF-8. A lone surrogate is U+FFFD there.</summary>
    public static readonly byte[][] RefusedBytes =
    [
        .. Refused.Where(json => json != "\"\uD83D\"").Select(Encoding.UTF8.GetBytes), [0xFF], [(byte)'"', 0xC3, (byte)'"'],
        [(byte)'"', 0xED, 0xA0, 0x80, (byte)'"'], [0], [0xFE, 0xFF, 0, (byte)'1'],
    ];

    public static readonly byte[][] AcceptedBytes = [.. Accepted.Append("\"\uFFFD\"").Select(Encoding.UTF8.GetBytes)];

    public static readonly Jsonb[] Storable = [default, .. Accepted.Select(json => Jsonb.Parse(json, Largest))];

    /// <summary>Values without a JSON form, or with one that jsonb cannot store.</summary>
    public static readonly object[] RefusedObjects =
    [
        double.NaN, float.NegativeInfinity, '\uD800', '\0', new Dictionary<string, int> { ["\0"] = 1 }, new Dictionary<string, int> { ["\uDC00"] = 1 },
        new[] { "\uD83D" }, default(JsonElement), .. NotStorable.Select(Read).Cast<object>(), .. MalformedText.NotStorable,
    ];

    public static readonly object?[] AcceptedObjects =
    [
        null, double.MaxValue, double.Epsilon, decimal.MaxValue, DateTimeOffset.MaxValue, new byte[] { 0xFF },
        .. AcceptedElements.Concat(RefusedButReadable.Select(Read)).Cast<object>(), .. MalformedText.Storable,
    ];

    public static JsonbOptions Largest => new() { MaxDepth = JsonbOptions.LargestMaxDepth, MaxBytes = JsonbOptions.LargestMaxBytes };

    /// <summary>A comment is no part of its element.</summary>
    public static IEnumerable<JsonElement> AcceptedElements => Accepted.Concat(["/* comment */ 1", "1 // comment"]).Select(Read);

    public static JsonElement Read(string json) => JsonDocument.Parse(
        json, new JsonDocumentOptions { MaxDepth = int.MaxValue, AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip }).RootElement;

    private static string Nested(int levels) => new string('[', levels) + new string(']', levels);

    private static string String(int length) => $"\"{new string('j', length)}\"";
}
