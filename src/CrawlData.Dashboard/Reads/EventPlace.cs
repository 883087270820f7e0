namespace CrawlData.Dashboard.Reads;

/// <summary>Where a run reaches a time, as far as it is known.</summary>
/// <param name="FoundId">The event; null when it is not known.</param>
/// <param name="AfterId">An event that is earlier; null when none is known.</param>
/// <param name="UpToId">An event at the time or later; null when none is known.</param>
internal readonly record struct EventPlace(long? FoundId, long? AfterId, long? UpToId);
