namespace CrawlData.Storage;

/// <summary>The rows that a transaction appended.</summary>
/// <param name="Ids">The ids of the rows, in their order.</param>
/// <param name="Transaction">The transaction; null when it wrote nothing.</param>
/// <param name="ParentId">The parent of the row with the first id.</param>
/// <param name="HasTransactionTime">Whether the row with the first id has the transaction's start as its time, and not a time of the caller's.</param>
/// <param name="ParentIds">The parents whose rows it appended.</param>
internal readonly record struct AppendedRows(
    IReadOnlyList<long> Ids, TransactionIdentity? Transaction, Guid ParentId, bool HasTransactionTime, IReadOnlyCollection<Guid> ParentIds)
{
    /// <summary>No rows: no parent was available.</summary>
    public static readonly AppendedRows None = new([], null, default, false, []);
}
