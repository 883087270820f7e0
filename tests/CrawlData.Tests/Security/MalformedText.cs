namespace CrawlData.Tests.Security;

/// <summary>Text as crawled pages hold it.</summary>
internal static class MalformedText
{
    private const string Astral = "\U0001D4B3";

    private static readonly string Megabyte = new('m', 1 << 20);

    /// <summary>With U+0000 or a lone surrogate, which PostgreSQL cannot store.</summary>
    public static readonly string[] NotStorable = ["\0", "a\0b", "\uD83D", "low \uDC00", "end\uD83D", "\uDC00\uD83D", Megabyte + "\0"];

    /// <summary>Blank, with the metacharacters of SQL and of formats, with unusual characters, and around the lengths of the columns.</summary>
    public static readonly string[] Storable =
    [
        "", " ", "\u00A0\u3000", "trailing   ", "'", "\"", "'; drop table crawl_events; --", "\\", "\\'\\x00\\u0000", "$body$", "$1 @crawl_id :id ?",
        "{0} {crawl} %s %n", "null", "<!--]]>", "\uFFFF\uFFFE\uFFFD", "\U0001F469\u200D\U0001F4BB\U0001F389", "\u202E\u200F\u2066abc",
        "a\r\n\t\u0085\u2028\u0001\u007Fb",
        .. new[] { 50, 51, 255, 256, 500, 501 }.SelectMany(
            length => new[] { new string('x', length), string.Concat(Enumerable.Repeat(Astral, length)), new string(' ', length) }),
        Megabyte, string.Concat(Enumerable.Repeat("\u00E9" + Astral + "'\\", 200_000)),
    ];
}
