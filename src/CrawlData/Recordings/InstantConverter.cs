using System.Text.Json;
using System.Text.Json.Serialization;
using CrawlData.Storage;

namespace CrawlData.Recordings;

/// <summary>Reads a time as <see cref="TimeConverter"/> does. It also reads what an export writes for a time that <see cref="DateTimeOffset"/> cannot
/// hold.</summary>
internal sealed class InstantConverter : JsonConverter<Instant>
{
    public override Instant Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType != JsonTokenType.String)
        {
            throw new JsonException();
        }

        return Instant.TryParseUnreadable(reader.GetString()!, out var instant) ? instant
            : TimeConverter.TryRead(reader, out var time, out _) ? Instant.From(time)
            : throw new JsonException();
    }

    public override void Write(Utf8JsonWriter writer, Instant value, JsonSerializerOptions options) => throw new NotSupportedException();
}
