using CrawlData.Schema;
using Microsoft.Extensions.Options;

namespace CrawlData.DependencyInjection;

// StartingAsync of all services comes before StartAsync of any.
internal sealed class MigrationAtStartup(SchemaMigrator migrator, IOptions<CrawlDataOptions> options) : LifecycleService
{
    public override Task StartingAsync(CancellationToken cancellationToken) =>
        options.Value.MigrateAtStartup ? migrator.MigrateAsync(cancellationToken) : Task.CompletedTask;
}
