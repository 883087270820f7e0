using CrawlData;
using CrawlData.Crawls;
using CrawlData.Recordings;
using CrawlData.Schema;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers CrawlData.</summary>
public static class CrawlDataServiceCollectionExtensions
{
    /// <summary>Registers the repositories, the migrator and, unless turned off, the migration at start-up, all as singletons over the application's <see cref="Npgsql.NpgsqlDataSource"/>.
    /// A migration that fails keeps the host from starting. Calling it twice adds nothing.</summary>
    /// <param name="services">The application's services.</param>
    /// <param name="configure">Sets options; may be null.</param>
    public static IServiceCollection AddCrawlData(this IServiceCollection services, Action<CrawlDataOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        var options = new CrawlDataOptions();
        configure?.Invoke(options);
        services.TryAddSingleton(provider => new SchemaMigrator(options.DataSource(provider), options.Migration, provider.GetService<ILogger<SchemaMigrator>>()));
        services.TryAddSingleton(provider => new CrawlRunRepository(options.DataSource(provider)));
        services.TryAddSingleton(provider => new CrawlEventRepository(options.DataSource(provider)));
        services.TryAddSingleton(provider => new RecordingImporter(options.DataSource(provider)));
        services.TryAddSingleton(provider => new RecordingExporter(options.DataSource(provider)));
        if (options.MigrateAtStartup)
        {
            services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, MigrationAtStartup>());
        }

        return services;
    }

    // StartingAsync of all services comes before StartAsync of any.
    private sealed class MigrationAtStartup(SchemaMigrator migrator) : IHostedLifecycleService
    {
        public Task StartingAsync(CancellationToken cancellationToken) => migrator.MigrateAsync(cancellationToken);

        public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
