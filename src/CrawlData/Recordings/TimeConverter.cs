using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace CrawlData.Recordings;

/// <summary>Reads a time in RFC 3339, whose letters may be in lower case and whose T may be a space. It refuses a time without an offset: System.Text.Json
/// would read it as the machine's local time.</summary>
internal sealed class TimeConverter : JsonConverter<DateTimeOffset>
{
    // A date and a time to the second, without fraction and offset.
    private const int WholeSecondsLength = 19;
    private const int TimeAt = 10;
    private const int LongestTime = 40;

    public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String && TryRead(reader, out var value, out _) ? value : throw new JsonException();

    public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options) =>
        throw new NotSupportedException();

    /// <summary>Gets whether a text is a time without an offset.</summary>
    public static bool LacksOffset(string text)
    {
        var reader = ToReader(text);
        return reader.Read() && !TryRead(reader, out _, out var lacksOffset) && lacksOffset;
    }

    /// <summary>Reads a string.</summary>
    /// <returns>Whether it is a time with an offset.</returns>
    public static bool TryRead(Utf8JsonReader reader, out DateTimeOffset value, out bool lacksOffset)
    {
        if (!reader.TryGetDateTime(out var read))
        {
            reader = ToReader(Canonicalize(reader.GetString()!));
            reader.Read();
            if (!reader.TryGetDateTime(out read))
            {
                (value, lacksOffset) = (default, false);
                return false;
            }
        }

        lacksOffset = read.Kind == DateTimeKind.Unspecified;
        value = lacksOffset ? default : reader.GetDateTimeOffset().ToUniversalTime();
        return !lacksOffset;
    }

    private static string Canonicalize(string text) => text.Length is >= WholeSecondsLength and <= LongestTime && text[TimeAt] is 't' or 'T' or ' '
        ? $"{text[..TimeAt]}T{text[(TimeAt + 1)..]}".Replace('z', 'Z')
        : "";

    // With another encoder the sign of an offset would be escaped.
    private static Utf8JsonReader ToReader(string text) =>
        new(Encoding.UTF8.GetBytes($"\"{JsonEncodedText.Encode(text, JavaScriptEncoder.UnsafeRelaxedJsonEscaping)}\""));
}
