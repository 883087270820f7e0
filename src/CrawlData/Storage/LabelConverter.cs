using System.Text.Json;
using System.Text.Json.Serialization;

namespace CrawlData.Storage;

/// <summary>Converts an enum to and from its labels in JSON. It refuses all other text. The converter of System.Text.Json would accept another letter case and
/// lists of names too.</summary>
internal sealed class LabelConverter<T> : JsonConverter<T> where T : struct, Enum
{
    public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        (reader.TokenType == JsonTokenType.String ? EnumLabels.TryParse<T>(reader.GetString()) : null) ?? throw new JsonException();

    public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToLabel());

    public override T ReadAsPropertyName(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        EnumLabels.TryParse<T>(reader.GetString()) ?? throw new JsonException();

    public override void WriteAsPropertyName(Utf8JsonWriter writer, T value, JsonSerializerOptions options) => writer.WritePropertyName(value.ToLabel());
}
