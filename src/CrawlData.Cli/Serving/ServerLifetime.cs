using Microsoft.Extensions.Hosting;

namespace CrawlData.Cli.Serving;

/// <summary>Leaves Ctrl+C and SIGTERM to the command.</summary>
internal sealed class ServerLifetime : IHostLifetime
{
    public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
