namespace CrawlData.Dashboard.Tests.Live;

/// <summary>A server-sent event, or a comment.</summary>
/// <param name="Event">The name of the event; null for none.</param>
/// <param name="Id">The id; null for none.</param>
/// <param name="Data">The data; null for a comment.</param>
internal sealed record StreamMessage(string? Event, string? Id, string? Data);
