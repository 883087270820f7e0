namespace CrawlData.Dashboard.Reads;

/// <summary>An event that was found at or after an id.</summary>
/// <param name="Id">The event's id.</param>
/// <param name="Gap">How many ids of other runs, or of none, are before the event.</param>
/// <param name="EventType">The event's type.</param>
/// <param name="Time">The event's time.</param>
internal sealed record EventSample(long Id, double Gap, string EventType, DateTimeOffset Time);
