namespace CrawlData.Storage;

/// <summary>The statements with which ids are reserved on Citus. They take the locks in the order in which they stand here.</summary>
/// <param name="Shards">Returns the shard and the id of each of the parents <c>$1</c>, in that order, where they are distributed.</param>
/// <param name="Lock">Locks the parents <c>$1</c>, and returns the id and the status of each.</param>
/// <param name="LockAvailable">As <paramref name="Lock"/>, without those that another transaction has locked.</param>
/// <param name="LockClaim">Locks the claim of the parent <c>$1</c>, and returns the parent and the claim's number; no row when it has none.</param>
/// <param name="LockTable">Takes the table's lock on the coordinator.</param>
/// <param name="LockShards">As <paramref name="LockTable"/>, and makes Citus prepare the transaction on the nodes of the parents <c>$1</c>.</param>
/// <param name="Draw">Returns an array of <c>$1</c> ids, and whether row security forbids COPY.</param>
/// <param name="ClaimedStatus">The status of a parent whose claim has not ended.</param>
internal sealed record ReservationSteps(
    string Shards, string Lock, string LockAvailable, string LockClaim, string LockTable, string LockShards, string Draw, string ClaimedStatus);
