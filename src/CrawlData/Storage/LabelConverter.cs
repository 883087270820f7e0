using System.Text.Json;
using System.Text.Json.Serialization;

namespace CrawlData.Storage;

/// <summary>Writes an enum by its labels, and reads nothing else: the converter of System.Text.Json takes other cases and lists too.</summary>
internal sealed class LabelConverter<T> : JsonConverter<T> where T : struct, Enum
{
    public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        (reader.TokenType == JsonTokenType.String ? EnumLabels.TryParse<T>(reader.GetString()) : null) ?? throw new JsonException();

    public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToLabel());

    public override T ReadAsPropertyName(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        EnumLabels.TryParse<T>(reader.GetString()) ?? throw new JsonException();

    public override void WriteAsPropertyName(Utf8JsonWriter writer, T value, JsonSerializerOptions options) => writer.WritePropertyName(value.ToLabel());
}
