using System.Text.Json;
using System.Text.Json.Serialization;

namespace CrawlData;

/// <summary>Writes a <see cref="Jsonb"/> as raw JSON, and reads any JSON value into one. Reading uses the largest limits, because the serializer's own limits
/// apply first.</summary>
/// <remarks><see cref="Jsonb"/> names it itself. It is public for the source generator of System.Text.Json.</remarks>
public sealed class JsonbConverter : JsonConverter<Jsonb>
{
    /// <inheritdoc/>
    public override bool HandleNull => true;

    /// <inheritdoc/>
    public override Jsonb Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        Jsonb.FromElement(JsonElement.ParseValue(ref reader), JsonbOptions.Stored);

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, Jsonb value, JsonSerializerOptions options) =>
        writer.WriteRawValue(value.Utf8.Span, skipInputValidation: true);
}
