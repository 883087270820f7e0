namespace CrawlData.Retention;

/// <summary>A parent table that is purged with the rows below it, and its statements.</summary>
/// <param name="Table">The parents' table.</param>
/// <param name="ListOldSql">Lists a page of the parents that are old enough.</param>
/// <param name="LockSql">Locks the parents of a page that may be deleted, and returns their ids.</param>
/// <param name="ListDeletableSql">Returns the same ids without locking.</param>
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
    string CountRowsSql);
