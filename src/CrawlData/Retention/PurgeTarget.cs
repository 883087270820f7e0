namespace CrawlData.Retention;

/// <summary>A parent table that is purged with the rows below it, and its statements.</summary>
/// <param name="Table">The parents' table.</param>
/// <param name="ListOldSql">Lists a page of the parents that are old enough.</param>
/// <param name="LockSql">Locks the ended parents of a page, and returns their ids.</param>
/// <param name="ListDeletableSql">Returns the ids of the parents that may be deleted. It locks nothing.</param>
/// <param name="DeleteRowsSql">Each deletes a batch of rows below the parents.</param>
/// <param name="DeleteSql">Deletes the parents.</param>
/// <param name="CountRowsSql">Counts the rows below the parents.</param>
internal sealed record PurgeTarget(
    string Table,
    string ListOldSql,
    string LockSql,
    string ListDeletableSql,
    IReadOnlyList<string> DeleteRowsSql,
    string DeleteSql,
    string CountRowsSql)
{
    /// <summary>Whether <see cref="LockSql"/> gets one parent at a time. Citus does not lock the rows of several nodes in one statement.</summary>
    public bool LocksOneByOne { get; init; }
}
