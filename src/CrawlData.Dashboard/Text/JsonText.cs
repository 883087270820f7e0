using System.Text;
using System.Text.Json;

namespace CrawlData.Dashboard.Text;

/// <summary>JSON for a page, with strings and numbers as they are stored.</summary>
internal static class JsonText
{
    // A deeper value, indented, would be mostly white space.
    private const int MaxIndentedDepth = 32;
    private const int MaxIndentedBytes = 64 * 1024;

    /// <summary>Returns the value on one line, as PostgreSQL writes it, up to a number of characters.</summary>
    public static string Line(Jsonb value, int length) => Printable.Line(Head(value, length + 1), length);

    /// <summary>Returns the value indented, or as PostgreSQL writes it when it is large or deep; and whether that is all of it.</summary>
    public static (string Text, bool IsWhole) Format(Jsonb value, int length)
    {
        var text = value.Utf8.Length <= MaxIndentedBytes && Depth(value) <= MaxIndentedDepth ? Indent(value) : Head(value, length + 1);
        return (Printable.Escape(Printable.Cut(text, length)), text.Length <= length);
    }

    // No character has more than 4 bytes, and none of more than 3 bytes is less than two chars.
    private static string Head(Jsonb value, int length) => Encoding.UTF8.GetString(value.Utf8.Span[..Boundary(value.Utf8.Span, length * 3)]);

    private static int Boundary(ReadOnlySpan<byte> utf8, int bytes)
    {
        var end = Math.Min(bytes, utf8.Length);
        while (end > 0 && end < utf8.Length && (utf8[end] & 0xC0) == 0x80)
        {
            end--;
        }

        return end;
    }

    private static int Depth(Jsonb value)
    {
        var reader = new Utf8JsonReader(value.Utf8.Span, new JsonReaderOptions { MaxDepth = int.MaxValue });
        var depth = 0;
        while (reader.Read())
        {
            depth = Math.Max(depth, reader.CurrentDepth);
        }

        return depth;
    }

    // White space is all that is added. A writer of .NET would escape characters beyond the first plane, such as emoji.
    private static string Indent(Jsonb value)
    {
        var text = new StringBuilder();
        var previous = JsonTokenType.None;
        var reader = new Utf8JsonReader(value.Utf8.Span);
        while (reader.Read())
        {
            var isEnd = reader.TokenType is JsonTokenType.EndObject or JsonTokenType.EndArray;
            var isFirst = previous is JsonTokenType.StartObject or JsonTokenType.StartArray;
            if (previous is not (JsonTokenType.None or JsonTokenType.PropertyName) && !(isFirst && isEnd))
            {
                text.Append(isFirst || isEnd ? "\n" : ",\n").Append(' ', 2 * reader.CurrentDepth);
            }

            var quote = reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName ? "\"" : "";
            text.Append(quote).Append(Encoding.UTF8.GetString(reader.ValueSpan)).Append(quote);
            text.Append(reader.TokenType == JsonTokenType.PropertyName ? ": " : "");
            previous = reader.TokenType;
        }

        return text.ToString();
    }
}
