using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace CrawlData.Dashboard.Live;

/// <summary>Writes the items of streams.</summary>
internal static class LiveJson
{
    // Line ends and quotation marks are escaped all the same.
    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>Writes a row. Properties in snake_case; those that have their type's default are left out.</summary>
    public static LiveItem Item(long id, object row) => new(id, JsonSerializer.SerializeToUtf8Bytes(row, Options));
}
