namespace CrawlData;

/// <summary>Thrown when the outcome of an append is unknown: its transaction is in doubt.</summary>
/// <remarks>
/// <para>There are two causes. The connection was lost during COMMIT, and the outcome could not be verified within <see cref="RetryOptions.Limit"/>. Or the
/// server stopped waiting for its standbys, and a failover may lose the rows.</para>
/// <para>All rows are stored, or none. To learn which, read one row when the server answers again and has ended the COMMIT's session. Call the repository's
/// <c>GetAsync</c> with <see cref="ParentId"/> and the first of <see cref="Ids"/>.</para>
/// </remarks>
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

    /// <summary>The id of the crawl, or of the session, that the first row of <see cref="Ids"/> belongs to.</summary>
    public Guid ParentId { get; }

    /// <summary>The ids that the rows have if they are stored, in the order of the rows. For a stream: the ids of its last chunk.</summary>
    public IReadOnlyList<long> Ids { get; }
}
