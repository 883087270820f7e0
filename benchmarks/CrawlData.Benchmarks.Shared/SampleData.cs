using CrawlData.Audits;
using CrawlData.Crawls;

namespace CrawlData.Benchmarks;

/// <summary>Creates the values that the benchmarks store.</summary>
public static class SampleData
{
    /// <summary>The type of most events.</summary>
    public const string EventType = "element.found";

    /// <summary>The type of every tenth seeded event.</summary>
    public const string RareEventType = "step.navigated";

    /// <summary>The time of a crawl's first seeded event. Each later event is a millisecond after the one before it.</summary>
    public static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>Creates events with payloads of about 250 bytes.</summary>
    public static NewCrawlEvent[] MakeEvents(int count) =>
    [
        .. Enumerable.Range(1, count).Select(number => new NewCrawlEvent
        {
            EventType = EventType,
            Payload = Jsonb.From(new
            {
                step = number,
                index = number % 40,
                kind = "link",
                href = $"https://docs.example.org/page-{number}.html",
                text = new string('x', 140),
                fresh = true,
            }),
        }),
    ];

    /// <summary>Creates lines of a session's log.</summary>
    public static NewCrawlLog[] MakeLogLines(int count) =>
    [
        .. Enumerable.Range(1, count).Select(number => new NewCrawlLog
        {
            EventType = CrawlLogEventType.Navigation,
            Message = $"opening https://docs.example.org/page-{number}.html",
            Details = Jsonb.From(new { step = number, load_ms = number % 1_000 }),
            Timestamp = Start.AddMilliseconds(number),
        }),
    ];
}
