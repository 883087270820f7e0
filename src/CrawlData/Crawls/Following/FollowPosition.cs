namespace CrawlData.Crawls;

/// <summary>Where a follower waits for events.</summary>
/// <param name="CrawlId">The crawl; null for all crawls.</param>
/// <param name="AfterId">The id of the last event that it has; null for none.</param>
/// <param name="PageSize">The most events that it reads at once.</param>
internal readonly record struct FollowPosition(Guid? CrawlId, long? AfterId, int PageSize);
