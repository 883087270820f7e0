using CrawlData.Crawls;

namespace CrawlData.DependencyInjection;

/// <summary>Flushes the writer when the host stops.</summary>
/// <remarks>StoppedAsync runs after StopAsync of all services. Until then they may still write.</remarks>
internal sealed class FlushAtShutdown(CrawlEventWriter writer) : LifecycleService
{
    public override Task StoppedAsync(CancellationToken cancellationToken) => writer.FlushAsync(cancellationToken);
}
