namespace CrawlData.Workers;

/// <summary>Crawls an app for a run that a hosted worker has claimed. The application implements it, and registers it with <c>AddCrawlWorker</c>.</summary>
/// <remarks>A handler is resolved in a scope of its own for each claim.</remarks>
/// <example>
/// <code>
/// sealed class Crawler(IScreens screens) : ICrawlHandler
/// {
///     public async Task HandleAsync(CrawlContext context, CancellationToken cancellationToken)
///     {
///         for (var step = 1; step &lt;= context.Run.MaxSteps; step++)
///         {
///             var text = await screens.VisitAsync(context.Run.AppPackage, step, cancellationToken);
///             await context.WriteAsync(new NewCrawlEvent { EventType = "screen.seen", Payload = Jsonb.From(new { step, text }) }, cancellationToken);
///         }
///     }
/// }
/// </code>
/// </example>
public interface ICrawlHandler
{
    /// <summary>Crawls. When it returns, its events are flushed, and the run is completed. When it throws, the run has failed, and a new run retries it while
    /// attempts remain. The exception's message becomes the run's <c>error_message</c>.</summary>
    /// <remarks>A run that was handed back at a shutdown is claimed again, and has the events of the earlier claim. Count them to go on after the last one. A
    /// retry is a run of its own.</remarks>
    /// <param name="context">The run.</param>
    /// <param name="cancellationToken">Cancelled when the claim is lost, and at shutdown when <see cref="WorkerOptions.ShutdownTimeout"/> has passed. End
    /// soon: the run is handed back.</param>
    Task HandleAsync(CrawlContext context, CancellationToken cancellationToken);
}
