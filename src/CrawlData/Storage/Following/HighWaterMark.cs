namespace CrawlData.Storage;

/// <summary>The highest id of a table at or below which no further row can appear: each such id is visible, or never will be.</summary>
/// <remarks>It relies on the table's lock. A transaction takes the lock before it draws an id, and holds it to its end. So the transactions that hold
/// the lock after the newest id was read include all that drew a lower id. When they have ended, the newest id becomes the mark. No id up to the mark is drawn
/// again, even after a crash of the server. A prepared transaction gets another virtual transaction id, at the latest at a restart. A promoted standby may draw
/// ids again that a reader found on the lost primary. So a mark is valid on one server until its restart.</remarks>
internal sealed class HighWaterMark
{
    /// <summary>The query for the transactions that hold the lock of a table. The table's condition follows it.</summary>
    public const string Writers =
        """
        select coalesce(pg_catalog.string_agg(distinct virtualtransaction, ' '), '')
        from pg_catalog.pg_locks
        where locktype = 'relation'
          and database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())
          and mode = 'RowExclusiveLock'
          and granted
        """;

    // A prepared transaction has no session of its own, at the latest after a restart.
    private const string PreparedPrefix = "-1/";

    // The transactions that must end before the newest id becomes the mark; null when the mark does not wait for any.
    private HashSet<string>? writers;
    private long newestId;

    /// <summary>The mark.</summary>
    public long Id { get; private set; }

    /// <summary>When the server started that the mark is valid on; null before the first.</summary>
    public Instant? ServerStart { get; private set; }

    /// <summary>Whether open transactions hold back newer rows.</summary>
    public bool IsHeldBack => writers is not null;

    /// <summary>Makes the error of a sequence that was set back, or that logical replication did not move.</summary>
    public static InvalidOperationException SequenceIsBehind(string table, long last, long newest) => new(
        $"The sequence {table}_id_seq is at {last}, behind the newest id {newest}, so new rows get ids that readers have passed. "
            + $"Stop the writers and run: select pg_catalog.setval('{table}_id_seq', (select max(id) from {table}))");

    /// <summary>Splits the result of <see cref="Writers"/> into transactions.</summary>
    public static HashSet<string> Split(string writers) => [.. writers.Split(' ', StringSplitOptions.RemoveEmptyEntries)];

    /// <summary>Begins the mark anew where it is not valid on the server that answered.</summary>
    /// <param name="serverStart">When the server started.</param>
    /// <param name="last">The last id that was drawn; null when the role may not know.</param>
    /// <returns>False when there was a mark. What was read with it does not count.</returns>
    public bool TryBegin(Instant serverStart, long? last)
    {
        if (ServerStart == serverStart && !(Id > last))
        {
            return true;
        }

        var isFirst = ServerStart is null;
        (Id, writers, ServerStart) = (0, null, serverStart);
        return isFirst;
    }

    /// <summary>Advances the mark as far as it goes.</summary>
    /// <param name="newest">The newest id that a reader's snapshot shows.</param>
    /// <param name="writing">The transactions that held the lock after that snapshot.</param>
    public void Advance(long newest, HashSet<string> writing)
    {
        if (writers is null)
        {
            (newestId, writers) = (newest, writing);
        }

        var isOneGone = writers.Any(writer => !IsPrepared(writer) && !writing.Contains(writer));
        writers.IntersectWith(writing);
        if (isOneGone)
        {
            // It has ended, or it is one of the prepared transactions.
            writers.UnionWith(writing.Where(IsPrepared));
        }

        if (writers.Count == 0)
        {
            (Id, writers) = (newestId, null);
        }
    }

    private static bool IsPrepared(string writer) => writer.StartsWith(PreparedPrefix, StringComparison.Ordinal);
}
