using CrawlData.Audits;
using CrawlData.Dashboard.Text;

namespace CrawlData.Dashboard.Live;

/// <summary>Writes log lines for a stream.</summary>
internal static class LiveLogLine
{
    // As in the log of a page.
    private const int LineLength = 120;
    private const int TextLength = 4_000;

    /// <summary>Writes a log line. JavaScript has no number for each id and each number of the details, so they are texts.</summary>
    /// <param name="redacted">The line, after its redaction.</param>
    public static LiveItem Of(CrawlLog redacted)
    {
        var details = redacted.Details.ToString() is "{}" or "null" ? null : JsonText.Line(redacted.Details, LineLength);
        var (text, isWhole) = details?.EndsWith('…') == true ? JsonText.Format(redacted.Details, TextLength) : (null, true);
        return LiveJson.Item(
            redacted.Id,
            new
            {
                Id = $"{redacted.Id}",
                Timestamp = Show.Iso(redacted.Timestamp),
                Level = redacted.Level.ToLabel(),
                EventType = redacted.EventType.ToLabel(),
                Message = Printable.Escape(Printable.Cut(redacted.Message, TextLength)) + (redacted.Message.Length > TextLength ? " …" : ""),
                Details = details,
                Text = text,
                IsCut = !isWhole,
            });
    }
}
