using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using CrawlData.Crawls;
using CrawlData.Dashboard.Text;

namespace CrawlData.Dashboard.Live;

/// <summary>An event as JSON for a stream. It is written once for all viewers.</summary>
/// <param name="Id">The event's id.</param>
/// <param name="Json">The event as pages show it: at most 32 KiB, without line ends.</param>
internal readonly record struct LiveEvent(long Id, ReadOnlyMemory<byte> Json)
{
    // As in the events of a page.
    private const int LineLength = 120;
    private const int TextLength = 4_000;
    private const int LabelLength = 50;

    // Line ends and quotation marks are escaped all the same.
    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>Writes an event. JavaScript has no number for each id and each number of a payload, so they are texts.</summary>
    /// <param name="redacted">The event, after its redaction.</param>
    public static LiveEvent Of(CrawlEvent redacted)
    {
        var line = JsonText.Line(redacted.Payload, LineLength);
        var (text, isWhole) = line.EndsWith('…') ? JsonText.Format(redacted.Payload, TextLength) : (null, true);
        var label = Printable.Line(redacted.EventType, LabelLength);
        return new LiveEvent(redacted.Id, JsonSerializer.SerializeToUtf8Bytes(
            new
            {
                Id = $"{redacted.Id}",
                redacted.EventType,
                Label = label == redacted.EventType ? null : label,
                CreatedAt = Show.Iso(redacted.CreatedAt),
                Line = line,
                Text = text,
                IsCut = !isWhole,
            },
            Options));
    }
}
