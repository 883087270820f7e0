using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace CrawlData;

/// <summary>Text as crawled pages hold it, and what PostgreSQL can store of it: no U+0000, no lone surrogate.</summary>
public static class CrawledText
{
    private const char Replacement = '\uFFFD';

    /// <summary>Replaces each U+0000 and each lone surrogate by U+FFFD; the text is returned as it is when it has none. Nothing in this library does so
    /// unasked.</summary>
    /// <returns>Text of the same length in UTF-16 code units, which every text column stores unchanged.</returns>
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
    /// <param name="maxLength">The column's length in characters as PostgreSQL counts them: Unicode code points. A value with a limit has at least
    /// one.</param>
    /// <exception cref="InvalidValueException">The value is too long, empty where a length is set, or holds what PostgreSQL cannot store.</exception>
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

            // A text has at most as many code points as UTF-16 units, so most need no count.
            if (text.Length > limit && CountCodePoints(text) is var length && length > limit)
            {
                throw new InvalidValueException(column, $"has {length} characters; the limit is {limit}");
            }
        }

        return text;
    }

    /// <summary>The index of the first U+0000 or lone surrogate, or -1.</summary>
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
