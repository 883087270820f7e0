namespace CrawlData;

/// <summary>What was appended in a transaction.</summary>
/// <param name="Ids">The ids of the rows.</param>
/// <param name="Transaction">The transaction; null when it wrote nothing.</param>
/// <param name="ParentId">What the row with the first id belongs to.</param>
/// <param name="Time">The time in the row with the first id, as its column holds it.</param>
internal readonly record struct Appended(IReadOnlyList<long> Ids, TransactionIdentity? Transaction, Guid ParentId, DateTime Time);
