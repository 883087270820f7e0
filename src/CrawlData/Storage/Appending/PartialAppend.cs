namespace CrawlData.Storage;

/// <summary>The outcome of an append of the rows whose parents were available.</summary>
/// <param name="Ids">The ids of the rows that were appended, in their order.</param>
/// <param name="Appended">The parents of these rows.</param>
/// <param name="Unknown">The parents that do not exist. All others were locked by other transactions.</param>
internal sealed record PartialAppend(IReadOnlyList<long> Ids, IReadOnlyCollection<Guid> Appended, IReadOnlyCollection<Guid> Unknown);
