using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace CrawlData;

/// <summary>Repairs crawled text for PostgreSQL, which cannot store U+0000 or a lone surrogate.</summary>
public static class CrawledText
{
    private const char Replacement = '\uFFFD';

    /// <summary>Replaces each U+0000 and each lone surrogate with U+FFFD.</summary>
    /// <remarks>The library repairs text only where the caller asks for it: here, or with an option named <c>Repair</c>.</remarks>
    /// <param name="text">The text; may be null.</param>
    /// <returns>Text of the same length in UTF-16 code units. PostgreSQL stores it unchanged. It is <paramref name="text"/> itself when nothing needs
    /// repair, and null when <paramref name="text"/> is null.</returns>
    /// <example>
    /// <code>
    /// var title = CrawledText.Repair("News\0"); // "News\uFFFD"
    /// </code>
    /// </example>
    [return: NotNullIfNotNull(nameof(text))]
    public static string? Repair(string? text)
    {
        if (text is null || IndexOfUnstorable(text) is not (>= 0 and var first))
        {
            return text;
        }

        return string.Create(text.Length, (text, first), static (repaired, source) =>
        {
            source.text.CopyTo(repaired);
            for (var at = source.first; at >= 0;)
            {
                repaired[at] = Replacement;
                var next = IndexOfUnstorable(repaired[(at + 1)..]);
                at = next < 0 ? next : at + 1 + next;
            }
        });
    }

    /// <summary>Checks a text column's value.</summary>
    /// <param name="text">The value.</param>
    /// <param name="column">The column's name, for the error.</param>
    /// <param name="maxLength">The column's length in Unicode code points, as PostgreSQL counts. A value with a limit must not be empty. Null for no
    /// limit.</param>
    /// <returns>The value.</returns>
    /// <exception cref="InvalidValueException">The value has U+0000 or a lone surrogate; or it has a limit, and is empty or too long.</exception>
    internal static string Require(string text, string column, int? maxLength = null)
    {
        ArgumentNullException.ThrowIfNull(text, column);
        if (IndexOfUnstorable(text) is >= 0 and var at)
        {
            throw new InvalidValueException(column, text[at] == '\0'
                ? $"holds U+0000 at index {at}, which PostgreSQL cannot store (repair would replace it)"
                : $"holds a lone surrogate at index {at}, which has no UTF-8 form (repair would replace it)");
        }

        if (maxLength is { } limit)
        {
            if (text.Length == 0)
            {
                throw new InvalidValueException(column, $"is empty; it takes 1 to {limit} characters");
            }

            // A text has at most as many code points as UTF-16 code units, so a short text needs no count.
            if (text.Length > limit && CountCodePoints(text) is var length && length > limit)
            {
                throw new InvalidValueException(column, $"has {length} characters; the limit is {limit}");
            }
        }

        return text;
    }

    /// <summary>Finds the first U+0000 or lone surrogate.</summary>
    /// <returns>Its index; -1 when the text has neither.</returns>
    internal static int IndexOfUnstorable(ReadOnlySpan<char> text)
    {
        for (var at = 0; ;)
        {
            var found = text[at..].IndexOfAnyInRange('\uD800', '\uDFFF');
            var nul = (found < 0 ? text[at..] : text.Slice(at, found)).IndexOf('\0');
            if (nul >= 0)
            {
                return at + nul;
            }

            if (found < 0)
            {
                return -1;
            }

            at += found;
            if (Rune.DecodeFromUtf16(text[at..], out _, out var consumed) != System.Buffers.OperationStatus.Done)
            {
                return at;
            }

            at += consumed;
        }
    }

    private static int CountCodePoints(string text)
    {
        var count = 0;
        foreach (var _ in text.EnumerateRunes())
        {
            count++;
        }

        return count;
    }
}
