using CrawlData.Crawls;

namespace CrawlData.DependencyInjection;

/// <summary>Flushes the writers when the host stops.</summary>
/// <remarks>StoppedAsync runs after StopAsync of all services. Until then they may still write. All databases are flushed at once: one that is down takes none
/// of the others' time.</remarks>
internal sealed class FlushAtShutdown(IServiceProvider provider, IEnumerable<RegisteredDatabase> databases) : LifecycleService
{
    private readonly IReadOnlyList<CrawlEventWriter> writers =
        [.. databases.Select(database => new DatabaseServices(provider, database.Key).Get<CrawlEventWriter>())];

    public override Task StoppedAsync(CancellationToken cancellationToken) => Task.WhenAll(writers.Select(writer => FlushAsync(writer, cancellationToken)));

    private static async Task FlushAsync(CrawlEventWriter writer, CancellationToken cancellationToken)
    {
        try
        {
            await writer.FlushAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // The host's time to stop is up. Neither this nor the disposal of the writer, which follows, may wait for the server as long again. The last
            // attempt is awaited here, because the container disposes no further writer after one that throws.
            writer.EndRetries();
            await writer.FlushAsync(CancellationToken.None).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            throw;
        }
    }
}
