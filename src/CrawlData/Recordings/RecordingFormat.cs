using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace CrawlData.Recordings;

/// <summary>A recording is NDJSON: <c>{"table": name, "row": {column: value}}</c> a line, in an order that foreign keys accept.</summary>
internal static class RecordingFormat
{
    public const string CrawlRuns = "crawl_runs";

    public const string CrawlEvents = "crawl_events";

    /// <summary>Rows as objects of columns: nothing unknown, nothing twice, no null where the column takes none.</summary>
    public static JsonSerializerOptions Rows { get; } = new()
    {
        AllowDuplicateProperties = false,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectNullableAnnotations = true,
        MaxDepth = JsonbOptions.LargestMaxDepth + 2,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new InstantConverter() },
    };

    /// <summary>Lines, whose rows are not looked into: what a payload has twice is PostgreSQL's to settle.</summary>
    public static JsonSerializerOptions Lines { get; } = new(Rows) { AllowDuplicateProperties = true };

    /// <summary>A line of a recording: as an element to be looked into, or as a row to be written.</summary>
    public sealed record Line<T>
    {
        public required string Table { get; init; }

        public required T Row { get; init; }
    }

    public static Line<T> Row<T>(string table, T row) => new() { Table = table, Row = row };

    /// <summary>A row of <c>crawl_events</c> in a recording, where order stands for the id.</summary>
    public sealed record EventRow
    {
        public required Guid CrawlId { get; init; }

        public required string EventType { get; init; }

        public required Jsonb Payload { get; init; }

        public DateTimeOffset? CreatedAt { get; init; }
    }

    // System.Text.Json takes a time without offset for the machine's local time.
    private sealed class InstantConverter : JsonConverter<DateTimeOffset>
    {
        public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            reader.GetDateTime().Kind == DateTimeKind.Unspecified
                ? throw new JsonException("a time needs its offset, such as Z")
                : reader.GetDateTimeOffset().ToUniversalTime();

        public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options) =>
            writer.WriteStringValue(value.UtcDateTime.ToString(
                value.Ticks % TimeSpan.TicksPerMillisecond == 0 ? "yyyy-MM-dd'T'HH:mm:ss.fff'Z'" : "yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'",
                CultureInfo.InvariantCulture));
    }
}
