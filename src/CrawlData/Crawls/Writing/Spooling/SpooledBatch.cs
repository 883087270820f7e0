using CrawlData.Storage;

namespace CrawlData.Crawls;

/// <summary>A batch of events whose transaction is about to be committed. It is on disk before the COMMIT is sent, and has what a verification of the COMMIT
/// needs.</summary>
internal sealed class SpooledBatch
{
    public required long Id { get; init; }

    public required IReadOnlyList<SpooledEvent> Events { get; init; }

    /// <summary>The ids of the events' rows.</summary>
    public required IReadOnlyList<long> RowIds { get; init; }

    public required TransactionIdentity Transaction { get; init; }

    /// <summary>The cluster of the transaction: <c>system_identifier</c>.</summary>
    public required long Cluster { get; init; }

    /// <summary>The transaction's first row, which may be an event that is not in the spool.</summary>
    public required long FirstId { get; init; }

    public required Guid FirstParentId { get; init; }

    /// <summary>Whether the first row has the transaction's start as its time.</summary>
    public required bool HasTransactionTime { get; init; }

    /// <summary>Gets the rows, as a verification takes them.</summary>
    public AppendedRows ToRows() => new([FirstId], Transaction, FirstParentId, HasTransactionTime, []);
}
