namespace CrawlData;

/// <summary>It is not known whether an append is stored: the connection was lost in its COMMIT, and the server could not be asked within <see
/// cref="RetryOptions.Limit"/>; or the server stopped waiting for its standbys, so that a failover may lose it. It is stored whole or not at all: the
/// repository's <c>GetAsync</c> with <see cref="ParentId"/> and the first of <see cref="Ids"/> tells, once the server has ended the COMMIT's session.</summary>
public sealed class AppendOutcomeUnknownException : CrawlDataException
{
    internal AppendOutcomeUnknownException(string table, Guid parentId, IReadOnlyList<long> ids, string reason, Exception? innerException)
        : base($"Whether rows of {table} from id {ids[0]} on are stored is not known: {reason}.", innerException)
    {
        Table = table;
        ParentId = parentId;
        Ids = ids;
    }

    /// <summary>The table appended to.</summary>
    public string Table { get; }

    /// <summary>The crawl, or the session, of the row with the first of the <see cref="Ids"/>.</summary>
    public Guid ParentId { get; }

    /// <summary>The ids that the rows have if they are stored, in their order, of a stream those of its last piece: looking for one of them tells of all.</summary>
    public IReadOnlyList<long> Ids { get; }
}
