using CrawlData.Storage;
using Npgsql;

namespace CrawlData.Crawls;

/// <summary>The highest event id at or below which no further event can appear: each such id is visible, or never will be.</summary>
/// <remarks>It relies on the table's lock. A transaction takes the lock before it draws an event's id, and holds it to its end. So the transactions that hold
/// the lock after the newest id was read include all that drew a lower id. When they have ended, the newest id becomes the mark. No id up to the mark is drawn
/// again, even after a crash of the server. A prepared transaction gets another virtual transaction id, at the latest at a restart.</remarks>
internal sealed class HighWaterMark(NpgsqlDataSource dataSource, RetryPolicy retry)
{
    // The last value is null before the first id is drawn. On newer servers it is also null for a role without rights on the sequence.
    internal const string NewestSql =
        """
        select coalesce(max(id), 0),
               coalesce(
                   pg_sequence_last_value('crawl_events_id_seq'),
                   case when has_sequence_privilege('crawl_events_id_seq', 'usage, select') then 0 end),
               pg_is_in_recovery()
        from crawl_events
        """;

    internal const string WritersSql =
        """
        select distinct virtualtransaction
        from pg_locks
        where locktype = 'relation'
          and database = (select oid from pg_database where datname = current_database())
          and relation = 'crawl_events'::regclass
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

    /// <summary>Whether open transactions hold back newer events.</summary>
    public bool IsHeldBack => writers is not null;

    /// <summary>Advances the mark as far as it goes now.</summary>
    /// <param name="afterId">The reader's cursor.</param>
    /// <param name="cancellationToken">Cancels the queries.</param>
    /// <exception cref="InvalidOperationException">The server was a standby until the retries ended. Or the sequence is behind the newest id.</exception>
    /// <exception cref="InvalidValueException">The cursor is beyond all ids.</exception>
    public Task AdvanceAsync(long afterId, CancellationToken cancellationToken) =>
        StandbyReadException.RetryAsync(retry, dataSource, () => dataSource.UseAsync(null, async connection =>
        {
            if (writers is null && !await FindNewestAsync(connection, afterId, cancellationToken).ConfigureAwait(false))
            {
                return true;
            }

            var writing = await connection.QueryAsync(WritersSql, null, row => row.GetString(0), null, cancellationToken).ConfigureAwait(false);
            Observe([.. writing]);
            return true;
        }, cancellationToken), cancellationToken);

    /// <summary>Makes the error of a sequence that was set back, or that logical replication did not move.</summary>
    public static InvalidOperationException SequenceIsBehind(long last, long newest) => new(
        $"The sequence crawl_events_id_seq is at {last}, behind the newest id {newest}, so new events get ids that readers have passed. "
            + "Stop the writers and run: select setval('crawl_events_id_seq', (select max(id) from crawl_events))");

    /// <summary>Removes the transactions that have ended from those that must end. The first call after a new newest id names them.</summary>
    /// <param name="writing">The transactions that hold the lock now.</param>
    private void Observe(HashSet<string> writing)
    {
        writers ??= writing;
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

    /// <summary>Reads the newest id.</summary>
    /// <returns>Whether it is above the mark and the cursor.</returns>
    private async Task<bool> FindNewestAsync(NpgsqlConnection connection, long afterId, CancellationToken cancellationToken)
    {
        var (newest, last, isStandby) = await connection.QuerySingleAsync(
            NewestSql, null, row => (row.GetInt64(0), row.GetNullable<long?>(1), row.GetBoolean(2)), null, cancellationToken).ConfigureAwait(false);
        if (isStandby)
        {
            throw new StandbyReadException(new InvalidOperationException(
                "A standby does not know the primary's open transactions. Read the events of all crawls on the primary."));
        }

        if (newest > last)
        {
            throw SequenceIsBehind(last.Value, newest);
        }

        if (afterId > last)
        {
            throw new InvalidValueException(
                "cursor", $"is at id {afterId}, but the last id is {last}; it belongs to another database, or to a server that was lost");
        }

        newestId = newest;
        return newest > Math.Max(Id, afterId);
    }
}
