namespace CrawlData.Dashboard.Screens;

/// <summary>A part of a run's time.</summary>
/// <param name="From">Its beginning.</param>
/// <param name="Count">The number of its events; null where it is not known.</param>
/// <param name="Share">Its share of the run's events, 0 to 1.</param>
/// <param name="ErrorShare">The share of errors among its events, 0 to 1.</param>
internal sealed record StripPart(DateTimeOffset From, long? Count, double Share, double ErrorShare);
