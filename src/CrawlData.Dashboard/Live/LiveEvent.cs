using CrawlData.Crawls;
using CrawlData.Dashboard.Text;

namespace CrawlData.Dashboard.Live;

/// <summary>Writes events for a stream.</summary>
internal static class LiveEvent
{
    // As in the events of a page.
    private const int LineLength = 120;
    private const int TextLength = 4_000;
    private const int LabelLength = 50;

    /// <summary>Writes an event. JavaScript has no number for each id and each number of a payload, so they are texts.</summary>
    /// <param name="redacted">The event, after its redaction.</param>
    public static LiveItem Of(CrawlEvent redacted)
    {
        var line = JsonText.Line(redacted.Payload, LineLength);
        var (text, isWhole) = line.EndsWith('…') ? JsonText.Format(redacted.Payload, TextLength) : (null, true);
        var label = Printable.Line(redacted.EventType, LabelLength);
        return LiveJson.Item(
            redacted.Id,
            new
            {
                Id = $"{redacted.Id}",
                redacted.EventType,
                Label = label == redacted.EventType ? null : label,
                CreatedAt = Show.Iso(redacted.CreatedAt),
                Line = line,
                Text = text,
                IsCut = !isWhole,
            });
    }
}
