using System.Globalization;
using System.Text;

namespace CrawlData.Cli;

/// <summary>Text for a terminal. Crawled text must not control the terminal, nor show in another order than it has.</summary>
internal static class PrintableText
{
    /// <summary>Replaces tabs and line ends by spaces, so that the text stays in one line. Escapes other characters that a terminal obeys or does not show,
    /// such as U+001B and U+202E, as \uXXXX.</summary>
    public static string Printable(this string text) => Escape(text, isJson: false);

    /// <summary>Escapes such characters in JSON. They occur only within strings there, so the JSON stays equal. Line ends, which separate rows,
    /// stay.</summary>
    public static string PrintableJson(string json) => Escape(json, isJson: true);

    private static string Escape(string text, bool isJson)
    {
        StringBuilder? escaped = null;
        var at = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            if (IsUnprintable(rune) && !(isJson && rune.Value is '\n' or '\r' or '\t'))
            {
                escaped ??= new StringBuilder(text, 0, at, text.Length + 32);
                AppendEscaped(escaped, text.AsSpan(at, rune.Utf16SequenceLength), !isJson && rune.Value is '\t' or '\n' or '\r');
            }
            else
            {
                escaped?.Append(text, at, rune.Utf16SequenceLength);
            }

            at += rune.Utf16SequenceLength;
        }

        return escaped?.ToString() ?? text;
    }

    private static void AppendEscaped(StringBuilder escaped, ReadOnlySpan<char> units, bool asSpace)
    {
        if (asSpace)
        {
            escaped.Append(' ');
            return;
        }

        foreach (var unit in units)
        {
            escaped.Append(CultureInfo.InvariantCulture, $"\\u{(int)unit:x4}");
        }
    }

    // Format characters are the direction marks, and those of no width.
    private static bool IsUnprintable(Rune rune) => Rune.GetUnicodeCategory(rune)
        is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator;
}
