using System.Text.Json;
using System.Text.Json.Serialization;

namespace CrawlData.Crawls;

/// <summary>A status as PostgreSQL and recordings write it. Text, and cast in the statement: Npgsql's enum mapping goes stale when a migration makes the
/// type.</summary>
internal static class CrawlStatusText
{
    /// <exception cref="InvalidValueException">The value is none of the enum's.</exception>
    public static string ToText(this CrawlStatus status) => status switch
    {
        CrawlStatus.Pending => "PENDING",
        CrawlStatus.Running => "RUNNING",
        CrawlStatus.Completed => "COMPLETED",
        CrawlStatus.Failed => "FAILED",
        CrawlStatus.Cancelled => "CANCELLED",
        _ => throw new InvalidValueException("status", $"is {(int)status}, which is not a CrawlStatus"),
    };

    /// <exception cref="InvalidValueException">The text is none of the type's labels.</exception>
    public static CrawlStatus Parse(string? text) =>
        TryParse(text) ?? throw new InvalidValueException("status", "is not one of PENDING, RUNNING, COMPLETED, FAILED, CANCELLED");

    public static CrawlStatus? TryParse(string? text) => text switch
    {
        "PENDING" => CrawlStatus.Pending,
        "RUNNING" => CrawlStatus.Running,
        "COMPLETED" => CrawlStatus.Completed,
        "FAILED" => CrawlStatus.Failed,
        "CANCELLED" => CrawlStatus.Cancelled,
        _ => null,
    };
}

/// <summary>Writes a status in its text, and reads nothing else.</summary>
internal sealed class CrawlStatusConverter : JsonConverter<CrawlStatus>
{
    public override CrawlStatus Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        (reader.TokenType == JsonTokenType.String ? CrawlStatusText.TryParse(reader.GetString()) : null) ?? throw new JsonException();

    public override void Write(Utf8JsonWriter writer, CrawlStatus value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToText());

    public override CrawlStatus ReadAsPropertyName(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        CrawlStatusText.TryParse(reader.GetString()) ?? throw new JsonException();

    public override void WriteAsPropertyName(Utf8JsonWriter writer, CrawlStatus value, JsonSerializerOptions options) =>
        writer.WritePropertyName(value.ToText());
}
