namespace CrawlData.Dashboard.Reads;

/// <summary>Some of a run's events, at equal distances of their ids, in the order of the ids; or all of them.</summary>
/// <param name="FirstId">The id of the run's first event.</param>
/// <param name="LastId">The id of the run's last event.</param>
/// <param name="IsAll">Whether these are all events.</param>
/// <param name="Items">The events.</param>
/// <param name="ReadAt">The timestamp of the read.</param>
internal sealed record EventSamples(long FirstId, long LastId, bool IsAll, IReadOnlyList<EventSample> Items, long ReadAt);
