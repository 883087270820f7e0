using CrawlData.Crawls;

namespace CrawlData.DependencyInjection;

/// <summary>Flushes the writer when the host stops.</summary>
/// <remarks>StoppedAsync runs after StopAsync of all services. Until then they may still write.</remarks>
internal sealed class FlushAtShutdown(CrawlEventWriter writer) : LifecycleService
{
    public override async Task StoppedAsync(CancellationToken cancellationToken)
    {
        try
        {
            await writer.FlushAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // The host's time to stop is up. The disposal of the writer, which follows, must not wait for the server as long again.
            writer.EndRetries();
            throw;
        }
    }
}
