using CrawlData.Instrumentation;
using CrawlData.Schema;
using CrawlData.Storage;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace CrawlData.DependencyInjection;

/// <summary>Migrates the schema when the host starts. It waits for a server that cannot be reached yet, as appends do.</summary>
/// <remarks>StartingAsync of all services runs before StartAsync of any. A script that fails is not retried.</remarks>
internal sealed class MigrationAtStartup(
    SchemaMigrator migrator,
    CrawlDataSources sources,
    IOptions<CrawlDataOptions> options,
    ILogger<SchemaMigrator>? logger = null,
    TimeProvider? timeProvider = null) : LifecycleService
{
    public override async Task StartingAsync(CancellationToken cancellationToken)
    {
        if (options.Value.MigrateAtStartup)
        {
            var retry = new RetryPolicy(
                sources.Primary,
                options.Value.Retry.Limit,
                timeProvider ?? TimeProvider.System,
                new Telemetry(sources.Primary, "crawldata_journal"),
                logger.Guarded());
            await retry.RunAsync(() => migrator.MigrateAsync(cancellationToken), cancellationToken).ConfigureAwait(false);
        }
    }
}
