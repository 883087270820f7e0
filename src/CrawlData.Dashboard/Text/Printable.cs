using System.Globalization;
using System.Text;

namespace CrawlData.Dashboard.Text;

/// <summary>Crawled text for a page. Razor encodes it. Here, characters that a page would not show, or that would show it in another order than it has, become
/// \uXXXX.</summary>
internal static class Printable
{
    /// <summary>Escapes such characters, also in JSON, where they occur only within strings. Line ends and tabs stay.</summary>
    public static string Escape(string text)
    {
        StringBuilder? escaped = null;
        var at = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            var units = text.AsSpan(at, rune.Utf16SequenceLength);
            if (IsUnprintable(rune))
            {
                escaped ??= new StringBuilder(text, 0, at, text.Length + 32);
                foreach (var unit in units)
                {
                    escaped.Append(CultureInfo.InvariantCulture, $"\\u{(int)unit:x4}");
                }
            }
            else
            {
                escaped?.Append(units);
            }

            at += rune.Utf16SequenceLength;
        }

        return escaped?.ToString() ?? text;
    }

    /// <summary>Returns the first line of a text, up to a number of characters, on one line. A blank one is named: a link needs a text.</summary>
    public static string Line(string text, int length)
    {
        var start = text.TrimStart();
        var end = start.AsSpan().IndexOfAny('\r', '\n');
        var isWhole = end < 0 && start.Length <= length;
        var line = Cut(end < 0 ? start : start[..end], length).Replace('\t', ' ').TrimEnd();
        return (line.Length == 0 ? "(blank)" : Escape(line)) + (isWhole ? "" : " …");
    }

    /// <summary>Returns the beginning of a text, with no half of a surrogate pair at its end.</summary>
    public static string Cut(string text, int length) =>
        text.Length <= length ? text : text[..(char.IsHighSurrogate(text[length - 1]) ? length - 1 : length)];

    private static bool IsUnprintable(Rune rune) => rune.Value is not ('\n' or '\r' or '\t') && Rune.GetUnicodeCategory(rune)
        is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator;
}
