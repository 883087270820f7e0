using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace CrawlData.Cli;

/// <summary>Writes a time in UTC with milliseconds, or with microseconds where it has them.</summary>
internal sealed class UtcTimeConverter : JsonConverter<DateTimeOffset>
{
    public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => throw new NotSupportedException();

    public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options)
    {
        var fraction = value.Ticks % TimeSpan.TicksPerMillisecond == 0 ? "fff" : "ffffff";
        writer.WriteStringValue(value.UtcDateTime.ToString($"yyyy-MM-ddTHH:mm:ss.{fraction}Z", CultureInfo.InvariantCulture));
    }
}
