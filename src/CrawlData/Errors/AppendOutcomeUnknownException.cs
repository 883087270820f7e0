namespace CrawlData;

/// <summary>Thrown when the outcome of an append is unknown, because its transaction is in doubt.</summary>
/// <remarks>
/// <para>Either the connection was lost during COMMIT, and the server did not answer within <see cref="RetryOptions.Limit"/>. Or the server stopped waiting for
/// its standbys, and a failover may lose the rows.</para>
/// <para>The rows are stored all or none. To find out, wait until the server answers again and has ended the COMMIT's session. Then call the repository's
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

    /// <summary>Gets the table of the append.</summary>
    public string Table { get; }

    /// <summary>Gets the id of the crawl, or of the session, that the first of the <see cref="Ids"/> belongs to.</summary>
    public Guid ParentId { get; }

    /// <summary>Gets the ids that the rows have if they are stored, in their order. For a stream, these are the ids of its last chunk.</summary>
    public IReadOnlyList<long> Ids { get; }
}
