namespace CrawlData;

/// <summary>Thrown when the outcome of an append is unknown: its transaction is in doubt. Either the connection was lost during COMMIT, and the server did not
/// answer within <see cref="RetryOptions.Limit"/>; or the server stopped waiting for its standbys, and a failover may lose the rows.</summary>
/// <remarks>The rows are stored all or none. When the server answers again, and has ended the COMMIT's session, ask for one row: call the repository's
/// <c>GetAsync</c> with <see cref="ParentId"/> and the first of <see cref="Ids"/>.</remarks>
/// <example>
/// <code>
/// catch (AppendOutcomeUnknownException exception)
/// {
///     var stored = await events.GetAsync(exception.ParentId, exception.Ids[0]) is not null;
/// }
/// </code>
/// </example>
public sealed class AppendOutcomeUnknownException : CrawlDataException
{
    internal AppendOutcomeUnknownException(string table, Guid parentId, IReadOnlyList<long> ids, string reason, Exception? innerException)
        : base($"The outcome of an append to {table}, from id {ids[0]} on, is unknown: {reason}.", innerException)
    {
        Table = table;
        ParentId = parentId;
        Ids = ids;
    }

    /// <summary>The table of the append.</summary>
    public string Table { get; }

    /// <summary>The crawl, or the session, of the first of the <see cref="Ids"/>.</summary>
    public Guid ParentId { get; }

    /// <summary>The ids that the rows have if they are stored, in their order. For a stream: those of its last chunk.</summary>
    public IReadOnlyList<long> Ids { get; }
}
