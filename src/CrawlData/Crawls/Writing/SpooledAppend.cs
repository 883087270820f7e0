using CrawlData.Storage;
using Npgsql;

namespace CrawlData.Crawls;

/// <summary>An append of events that are in the spool. Before each COMMIT it writes to the spool what a verification of the COMMIT needs.</summary>
/// <param name="spool">The spool.</param>
/// <param name="clusters">Identifies the server's cluster.</param>
/// <param name="piece">The events that may be appended.</param>
internal sealed class SpooledAppend(Spool spool, ClusterIdentifier clusters, ArraySegment<QueuedEvent> piece)
{
    private SpooledBatch? batch;

    /// <summary>Writes the batch. A batch of an earlier attempt was rolled back.</summary>
    /// <exception cref="SpoolWriteException">It is not on disk. The transaction must not be committed.</exception>
    public async Task BeforeCommitAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, AppendedRows rows)
    {
        NoteRolledBack();
        var parents = rows.ParentIds.ToHashSet();
        var pairs = piece.Where(entry => parents.Contains(entry.CrawlId)).Zip(rows.Ids).Where(pair => pair.First.Spooled is not null).ToArray();
        if (pairs.Length == 0)
        {
            return;
        }

        var next = new SpooledBatch
        {
            Id = spool.NextBatchId(),
            Events = [.. pairs.Select(pair => pair.First.Spooled!)],
            RowIds = [.. pairs.Select(pair => pair.Second)],
            Transaction = rows.Transaction!.Value,
            Cluster = await clusters.GetAsync(connection, transaction, rows.Transaction.Value).ConfigureAwait(false),
            FirstId = rows.Ids[0],
            FirstParentId = rows.ParentId,
            HasTransactionTime = rows.HasTransactionTime,
        };
        await spool.WriteAsync(next).ConfigureAwait(false);
        batch = next;
    }

    /// <summary>Notes that the transaction is committed.</summary>
    public void NoteStored()
    {
        if (batch is not null)
        {
            spool.WriteStored(batch);
            batch = null;
        }
    }

    /// <summary>Notes that the transaction was rolled back.</summary>
    public void NoteRolledBack()
    {
        if (batch is not null)
        {
            spool.WriteRolledBack(batch);
            batch = null;
        }
    }
}
