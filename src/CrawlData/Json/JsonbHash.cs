using System.Buffers;
using System.Globalization;
using System.Text.Json;

namespace CrawlData;

/// <summary>Computes hash codes of JSON texts. Texts that <see cref="JsonElement.DeepEquals"/> takes for equal have the same hash code.</summary>
internal static class JsonbHash
{
    // Exponents of values that PostgreSQL holds have fewer digits.
    private const int MaxExponentDigits = 9;

    /// <summary>Computes the hash code of a value. It needs no recursion, because a value from the database may be nested deep.</summary>
    public static int Compute(ReadOnlySpan<byte> utf8)
    {
        var reader = new Utf8JsonReader(utf8, new JsonReaderOptions { MaxDepth = int.MaxValue });
        var open = new Stack<(int Hash, int Name, bool IsObject)>();
        var (hash, name, isObject) = (0, 0, false);
        while (reader.Read())
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.PropertyName:
                    name = OfText(ref reader);
                    break;
                case JsonTokenType.StartObject or JsonTokenType.StartArray:
                    open.Push((hash, name, isObject));
                    (hash, isObject) = ((int)reader.TokenType, reader.TokenType == JsonTokenType.StartObject);
                    break;
                case JsonTokenType.EndObject or JsonTokenType.EndArray:
                    var value = hash;
                    (hash, name, isObject) = open.Pop();
                    Add(value);
                    break;
                default:
                    Add(OfLiteral(ref reader));
                    break;
            }
        }

        return hash;

        // A sum, because the order of keys does not count.
        void Add(int value) => hash = isObject ? hash + HashCode.Combine(name, value) : HashCode.Combine(hash, value);
    }

    private static int OfLiteral(ref Utf8JsonReader reader) => reader.TokenType switch
    {
        JsonTokenType.String => OfText(ref reader),
        JsonTokenType.Number => OfNumber(reader.ValueSpan),
        var kind => (int)kind,
    };

    private static int OfText(ref Utf8JsonReader reader)
    {
        var hash = default(HashCode);
        if (!reader.ValueIsEscaped)
        {
            hash.AddBytes(reader.ValueSpan);
            return hash.ToHashCode();
        }

        var buffer = ArrayPool<byte>.Shared.Rent(reader.ValueSpan.Length);
        hash.AddBytes(buffer.AsSpan(0, reader.CopyString(buffer)));
        ArrayPool<byte>.Shared.Return(buffer);
        return hash.ToHashCode();
    }

    /// <summary>Hashes the digits between the first and the last one that is not 0, and the power of ten of the last. 1E2, 100 and 100.0 are equal.</summary>
    private static int OfNumber(ReadOnlySpan<byte> number)
    {
        var isNegative = number[0] == '-';
        var mantissa = number[(isNegative ? 1 : 0)..];
        var (exponent, mark) = (0L, mantissa.IndexOfAny((byte)'e', (byte)'E'));
        if (mark >= 0)
        {
            exponent = Exponent(mantissa[(mark + 1)..]);
            mantissa = mantissa[..mark];
        }

        var point = mantissa.IndexOf((byte)'.');
        exponent -= point < 0 ? 0 : mantissa.Length - point - 1;
        Span<byte> digits = mantissa.Length <= 64 ? stackalloc byte[mantissa.Length] : new byte[mantissa.Length];
        mantissa.CopyTo(digits);
        if (point >= 0)
        {
            mantissa[(point + 1)..].CopyTo(digits[point..]);
            digits = digits[..^1];
        }

        var withoutEnd = digits.TrimEnd((byte)'0');
        exponent += digits.Length - withoutEnd.Length;
        digits = withoutEnd.TrimStart((byte)'0');
        if (digits.IsEmpty)
        {
            // Zero has no sign and no exponent.
            return (int)JsonTokenType.Number;
        }

        var hash = default(HashCode);
        hash.AddBytes(digits);
        hash.Add(unchecked((int)exponent));
        hash.Add(isNegative);
        return hash.ToHashCode();
    }

    private static long Exponent(ReadOnlySpan<byte> text)
    {
        var digits = text.TrimStart("+-"u8).TrimStart((byte)'0');

        // The numbers of longer exponents have one hash code.
        var value = digits.Length > MaxExponentDigits ? int.MaxValue : digits.IsEmpty ? 0 : int.Parse(digits, CultureInfo.InvariantCulture);
        return text[0] == '-' ? -value : value;
    }
}
