using CrawlData;
using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Recordings;
using CrawlData.Retention;
using CrawlData.Schema;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers CrawlData.</summary>
public static class CrawlDataServiceCollectionExtensions
{
    /// <summary>Registers the repositories, the writer, the migrator and, unless turned off, the migration at start-up, all as singletons over the application's <see
    /// cref="Npgsql.NpgsqlDataSource"/>. A migration that fails keeps the host from starting; what the <see cref="CrawlEventWriter"/> holds is flushed when all
    /// services have stopped. A second call changes nothing.</summary>
    /// <param name="services">The application's services.</param>
    /// <param name="configure">Sets options; may be null.</param>
    public static IServiceCollection AddCrawlData(this IServiceCollection services, Action<CrawlDataOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        if (services.Any(service => service.ServiceType == typeof(SchemaMigrator)))
        {
            return services;
        }

        var options = new CrawlDataOptions();
        configure?.Invoke(options);
        services.AddSingleton(
            provider => new SchemaMigrator(options.DataSource(provider), options.Migration, provider.GetService<ILogger<SchemaMigrator>>()));
        services.AddSingleton(provider => new CrawlRunRepository(options.DataSource(provider)));
        services.AddSingleton(provider => new CrawlEventRepository(options.DataSource(provider), options.Retry, options.Notify));
        services.AddSingleton(provider => new CrawlEventWriter(provider.GetRequiredService<CrawlEventRepository>(), options.Writer));
        services.AddHostedService<FlushAtShutdown>();
        services.AddSingleton(provider => new AuditSessionRepository(options.DataSource(provider)));
        services.AddSingleton(provider => new AuditPageRepository(options.DataSource(provider)));
        services.AddSingleton(provider => new ArtifactRepository(options.DataSource(provider), options.Retention));
        services.AddSingleton(provider => new CrawlLogRepository(options.DataSource(provider), options.Retry));
        services.AddSingleton(provider => new RetentionCleanup(options.DataSource(provider)));
        services.AddSingleton(provider => new RecordingImporter(options.DataSource(provider)));
        services.AddSingleton(provider => new RecordingExporter(options.DataSource(provider)));
        if (options.MigrateAtStartup)
        {
            services.AddHostedService<MigrationAtStartup>();
        }

        return services;
    }

    // StartingAsync of all services comes before StartAsync of any.
    private sealed class MigrationAtStartup(SchemaMigrator migrator) : LifecycleService
    {
        public override Task StartingAsync(CancellationToken cancellationToken) => migrator.MigrateAsync(cancellationToken);
    }

    // StoppedAsync comes after StopAsync of all services, which may still write.
    private sealed class FlushAtShutdown(CrawlEventWriter writer) : LifecycleService
    {
        public override Task StoppedAsync(CancellationToken cancellationToken) => writer.FlushAsync(cancellationToken);
    }

    private abstract class LifecycleService : IHostedLifecycleService
    {
        public virtual Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public virtual Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
