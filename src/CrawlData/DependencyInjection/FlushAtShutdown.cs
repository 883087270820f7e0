using CrawlData.Crawls;

namespace CrawlData.DependencyInjection;

// StoppedAsync comes after StopAsync of all services, which may still write.
internal sealed class FlushAtShutdown(CrawlEventWriter writer) : LifecycleService
{
    public override Task StoppedAsync(CancellationToken cancellationToken) => writer.FlushAsync(cancellationToken);
}
