namespace CrawlData.Storage;

/// <summary>The rows that a transaction appended.</summary>
/// <param name="Ids">The ids of the rows, in their order.</param>
/// <param name="Transaction">The transaction; null when it wrote nothing.</param>
/// <param name="ParentId">The parent of the row with the first id.</param>
/// <param name="Time">The time in the row with the first id, as its column holds it.</param>
internal readonly record struct AppendedRows(IReadOnlyList<long> Ids, TransactionIdentity? Transaction, Guid ParentId, DateTime Time);
