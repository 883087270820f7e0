using System.Text.Json;
using System.Text.Json.Serialization;
using CrawlData.Storage;

namespace CrawlData;

/// <summary>Converts an enum of the library to and from its labels in JSON, as PostgreSQL has them. It refuses all other text. The converter of
/// System.Text.Json would accept another letter case and lists of names too.</summary>
/// <remarks>The enums name it themselves. It is public for the source generator of System.Text.Json.</remarks>
/// <typeparam name="T">An enum of the library.</typeparam>
public sealed class LabelConverter<T> : JsonConverter<T>, ILabels where T : struct, Enum
{
    IEnumerable<string> ILabels.Labels => EnumLabels.All<T>();

    /// <inheritdoc/>
    public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        (reader.TokenType == JsonTokenType.String ? EnumLabels.TryParse<T>(reader.GetString()) : null) ?? throw new JsonException();

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToLabel());

    /// <inheritdoc/>
    public override T ReadAsPropertyName(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        EnumLabels.TryParse<T>(reader.GetString()) ?? throw new JsonException();

    /// <inheritdoc/>
    public override void WriteAsPropertyName(Utf8JsonWriter writer, T value, JsonSerializerOptions options) => writer.WritePropertyName(value.ToLabel());
}
