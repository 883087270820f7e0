using CrawlData.Crawls;

namespace CrawlData.Dashboard.Screens;

/// <summary>A crawl's last event in the API.</summary>
internal sealed record LastEventTwin(long Id, string EventType, DateTimeOffset CreatedAt, double AgeSeconds)
{
    public static LastEventTwin? Of(LastCrawlEvent? last) =>
        last is null ? null : new LastEventTwin(last.Id, last.EventType, last.CreatedAt, last.Age.TotalSeconds);
}
