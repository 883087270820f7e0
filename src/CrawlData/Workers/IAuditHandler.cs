namespace CrawlData.Workers;

/// <summary>Audits a session that a hosted worker has claimed. The application implements it, and registers it with <c>AddAuditWorker</c>.</summary>
/// <remarks>A handler is resolved in a scope of its own for each session.</remarks>
/// <example>
/// <code>
/// sealed class Auditor(AuditPageRepository pages) : IAuditHandler
/// {
///     public async Task HandleAsync(AuditContext context, CancellationToken cancellationToken)
///     {
///         await pages.InsertAsync(context.Session.Id, await OpenAsync(context.Session.Url, cancellationToken), cancellationToken: cancellationToken);
///     }
/// }
/// </code>
/// </example>
public interface IAuditHandler
{
    /// <summary>Audits a session. When it returns, the session is completed. When it throws, the attempt has failed, and the session is queued again while
    /// attempts remain. The exception's message becomes the session's <c>error_summary</c>.</summary>
    /// <remarks>The same session may be handled again, by any process: after a failure, after a shutdown, and after the death of a process. Make a repetition
    /// harmless.</remarks>
    /// <param name="context">The session.</param>
    /// <param name="cancellationToken">Cancelled when another worker has the session, and at shutdown when <see cref="WorkerOptions.ShutdownTimeout"/> has
    /// passed. End soon: the session is handed back.</param>
    Task HandleAsync(AuditContext context, CancellationToken cancellationToken);
}
