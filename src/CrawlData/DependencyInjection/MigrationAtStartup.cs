using CrawlData.Schema;
using Microsoft.Extensions.Options;

namespace CrawlData.DependencyInjection;

/// <summary>Migrates the schema when the host starts.</summary>
/// <remarks>StartingAsync of all services runs before StartAsync of any.</remarks>
internal sealed class MigrationAtStartup(SchemaMigrator migrator, IOptions<CrawlDataOptions> options) : LifecycleService
{
    public override Task StartingAsync(CancellationToken cancellationToken) =>
        options.Value.MigrateAtStartup ? migrator.MigrateAsync(cancellationToken) : Task.CompletedTask;
}
