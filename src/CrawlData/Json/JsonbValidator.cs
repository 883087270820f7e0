using System.Globalization;
using System.Text.Json;

namespace CrawlData;

/// <summary>Validates JSON texts for a jsonb column. PostgreSQL accepts each text that passes.</summary>
internal static class JsonbValidator
{
    /// <summary>The most digits of a number that is written out without exponent. A <see cref="double"/> needs at most 341.</summary>
    public const int MaxNumberDigits = 1_000;

    /// <summary>Validates a JSON text. It replaces escapes in place when <see cref="JsonbOptions.Repair"/> is set.</summary>
    /// <param name="utf8">The text, in UTF-8.</param>
    /// <param name="options">The limits.</param>
    /// <returns>The text.</returns>
    /// <exception cref="InvalidValueException">PostgreSQL would refuse the text, or it exceeds a limit.</exception>
    public static byte[] Validate(byte[] utf8, JsonbOptions options)
    {
        var size = MeasureSize(utf8, options);
        if (size > options.MaxBytes)
        {
            throw new InvalidValueException(Jsonb.Field, $"has {size} bytes; the limit is {options.MaxBytes}");
        }

        // The size of the text as PostgreSQL returns it. It writes numbers out, so a small text may become a large one.
        long writtenOut = size;

        // One level more than allowed, so that this loop reports the excess, and not the reader.
        var reader = new Utf8JsonReader(utf8, new JsonReaderOptions { MaxDepth = options.MaxDepth + 1 });
        try
        {
            while (reader.Read())
            {
                switch (reader.TokenType)
                {
                    case JsonTokenType.StartObject or JsonTokenType.StartArray when reader.CurrentDepth >= options.MaxDepth:
                        throw new InvalidValueException(Jsonb.Field, $"is nested deeper than {options.MaxDepth} levels at byte {reader.TokenStartIndex}");
                    case JsonTokenType.Number:
                        writtenOut += Math.Max(0, CountDigits(reader.ValueSpan, reader.TokenStartIndex) - reader.ValueSpan.Length);
                        break;
                    case JsonTokenType.String or JsonTokenType.PropertyName when reader.ValueIsEscaped:
                        CheckEscapes(utf8, (int)reader.TokenStartIndex + 1, reader.ValueSpan.Length, options.Repair);
                        break;
                }
            }
        }
        catch (JsonException)
        {
            // The cause is left out, because its message quotes the text.
            throw new InvalidValueException(Jsonb.Field, $"is not well-formed, at or after byte {reader.BytesConsumed}");
        }

        return writtenOut <= options.MaxBytes
            ? utf8
            : throw new InvalidValueException(Jsonb.Field, $"has {writtenOut} bytes with its numbers written out; the limit is {options.MaxBytes}");
    }

    /// <summary>Checks the size of a value that another writer may have stored, or that has passed other limits.</summary>
    /// <exception cref="InvalidValueException">It is larger than the largest value that can be made.</exception>
    public static Jsonb RequireSize(Jsonb value, string column) =>
        MeasureSize(value.Utf8.Span, JsonbOptions.Stored) is var size && size <= JsonbOptions.LargestMaxBytes
            ? value
            : throw new InvalidValueException(column, $"has {size} bytes; the limit is {JsonbOptions.LargestMaxBytes}");

    // White space is counted only in a text that would be too large with it.
    private static int MeasureSize(ReadOnlySpan<byte> utf8, JsonbOptions options)
    {
        if (!options.IgnoresWhiteSpace || utf8.Length <= options.MaxBytes)
        {
            return utf8.Length;
        }

        var size = 0;
        var inString = false;
        for (var at = 0; at < utf8.Length; at++)
        {
            switch (utf8[at])
            {
                case (byte)'"':
                    inString = !inString;
                    break;
                case (byte)'\\':
                    // The escaped character counts too, and ends no string.
                    at++;
                    size++;
                    break;
                case (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n' when !inString:
                    continue;
            }

            size++;
        }

        return size;
    }

    /// <summary>Counts the digits of a number that is written out without exponent.</summary>
    /// <exception cref="InvalidValueException">The number has more than <see cref="MaxNumberDigits"/> digits.</exception>
    private static long CountDigits(ReadOnlySpan<byte> number, long at)
    {
        var exponentMark = number.IndexOfAny((byte)'e', (byte)'E');
        var mantissa = exponentMark < 0 ? number : number[..exponentMark];
        if (mantissa[0] == '-')
        {
            mantissa = mantissa[1..];
        }

        long exponent = 0;
        if (exponentMark >= 0)
        {
            var digits = number[(exponentMark + 1)..];
            var negative = digits[0] == '-';
            digits = digits.TrimStart("+-"u8).TrimStart((byte)'0');
            exponent = digits.Length > 6 ? int.MaxValue : digits.IsEmpty ? 0 : int.Parse(digits, CultureInfo.InvariantCulture);
            exponent = negative ? -exponent : exponent;
        }

        var point = mantissa.IndexOf((byte)'.');
        var whole = point < 0 ? mantissa.Length : point;
        var fraction = point < 0 ? 0 : mantissa.Length - point - 1;
        var written = Math.Max(1, whole + exponent) + Math.Max(0, fraction - exponent);
        return written <= MaxNumberDigits
            ? written
            : throw new InvalidValueException(Jsonb.Field, $"holds a number of more than {MaxNumberDigits} digits at byte {at}");
    }

    /// <summary>Finds escapes of U+0000 and of lone surrogates in a string's content. It overwrites them in place when repair is set.</summary>
    /// <exception cref="InvalidValueException">There is such an escape, and repair is not set.</exception>
    private static void CheckEscapes(byte[] utf8, int start, int length, bool repair)
    {
        var content = utf8.AsSpan(start, length);
        for (var at = content.IndexOf((byte)'\\'); at >= 0;)
        {
            var width = 2;
            if (content[at + 1] == 'u')
            {
                width = 6;
                var unit = (char)CodeUnit(content[(at + 2)..]);
                var storable = unit != 0 && !char.IsSurrogate(unit);
                if (char.IsHighSurrogate(unit) && content[(at + width)..].StartsWith("\\u"u8) && char.IsLowSurrogate((char)CodeUnit(content[(at + 8)..])))
                {
                    storable = true;
                    width = 12;
                }

                if (!storable && !repair)
                {
                    throw new InvalidValueException(Jsonb.Field, (unit == 0
                        ? $"holds U+0000 at byte {start + at}, which jsonb cannot store"
                        : $"holds a lone surrogate at byte {start + at}, which has no UTF-8 form") + " (repair would replace it)");
                }

                if (!storable)
                {
                    "FFFD"u8.CopyTo(content[(at + 2)..]);
                }
            }

            at += width;
            var next = content[at..].IndexOf((byte)'\\');
            at = next < 0 ? next : at + next;
        }
    }

    private static int CodeUnit(ReadOnlySpan<byte> fourHexDigits) =>
        int.Parse(fourHexDigits[..4], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}
