using System.Text.Json;
using System.Text.Json.Serialization;

namespace CrawlData.Diagnostics;

/// <summary>Converts a duration to and from a number of seconds.</summary>
/// <remarks><see cref="UnfinishedWork"/> names it itself. It is public for the source generator of System.Text.Json.</remarks>
public sealed class SecondsConverter : JsonConverter<TimeSpan>
{
    /// <inheritdoc/>
    public override TimeSpan Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => TimeSpan.FromSeconds(reader.GetDouble());

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, TimeSpan value, JsonSerializerOptions options) => writer.WriteNumberValue(value.TotalSeconds);
}
