using CrawlData;
using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.DependencyInjection;
using CrawlData.Diagnostics;
using CrawlData.Recordings;
using CrawlData.Retention;
using CrawlData.Schema;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers CrawlData.</summary>
public static class CrawlDataServiceCollectionExtensions
{
    // Nobody else has it as a key.
    private static readonly object DataSourceKey = new();

    /// <summary>Registers the repositories, the writer, the migrator and, unless turned off, the migration at start-up, all as singletons over the application's <see
    /// cref="NpgsqlDataSource"/>, which stays the application's. A migration that fails keeps the host from starting, and so do options that are out of range; what the
    /// <see cref="CrawlEventWriter"/> holds is flushed when all services have stopped. A second call only sets options.</summary>
    /// <remarks>The options are an <see cref="IOptions{TOptions}"/>: they may be set from the application's configuration, too. Of a data source of several hosts the
    /// primary is used, and its standbys as <see cref="CrawlDataOptions.ReadFromStandby"/> says.</remarks>
    /// <param name="services">The application's services.</param>
    /// <param name="configure">Sets options; may be null.</param>
    public static IServiceCollection AddCrawlData(this IServiceCollection services, Action<CrawlDataOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddOptions<CrawlDataOptions>().Configure(options => configure?.Invoke(options));
        if (services.Any(service => service.ServiceType == typeof(CrawlDataSources)))
        {
            return services;
        }

        services.AddSingleton<CrawlDataSources>();
        services.AddSingleton(provider => new SchemaMigrator(Primary(provider), Options(provider).Migration, Logger<SchemaMigrator>(provider), Time(provider)));
        services.AddSingleton(provider => new CrawlRunRepository(Primary(provider), Reads(provider)));
        services.AddSingleton(provider => new CrawlEventRepository(
            Primary(provider), Reads(provider), Options(provider).Retry, Options(provider).Notify, Logger<CrawlEventRepository>(provider), Time(provider)));
        services.AddSingleton(provider => new CrawlEventWriter(
            provider.GetRequiredService<CrawlEventRepository>(), Options(provider).Writer, Logger<CrawlEventWriter>(provider), Time(provider)));
        services.AddSingleton(provider => new AuditSessionRepository(Primary(provider), Reads(provider)));
        services.AddSingleton(provider => new AuditSessionQueue(Primary(provider), Logger<AuditSessionQueue>(provider)));
        services.AddSingleton(provider => new AuditPageRepository(Primary(provider), Reads(provider)));
        services.AddSingleton(provider => new ArtifactRepository(Primary(provider), Reads(provider), Options(provider).Retention));
        services.AddSingleton(provider => new CrawlLogRepository(
            Primary(provider), Reads(provider), Options(provider).Retry, Logger<CrawlLogRepository>(provider), Time(provider)));
        services.AddSingleton(provider => new ArtifactSweeper(Primary(provider), Logger<ArtifactSweeper>(provider)));
        services.AddSingleton(provider => new RetentionPurger(Primary(provider), Logger<RetentionPurger>(provider)));
        services.AddSingleton(provider => new DatabaseStatusReader(Primary(provider)));
        services.AddSingleton(provider => new RecordingImporter(Primary(provider)));
        services.AddSingleton(provider => new RecordingExporter(Reads(provider)));
        services.AddSingleton(provider => new CrawlDataHealthCheck(Primary(provider), Options(provider).ExpectWrites));
        services.AddHostedService<MigrationAtStartup>();
        services.AddHostedService<FlushAtShutdown>();
        return services;
    }

    /// <summary>Registers the same over a data source that is made of a connection string, logs to the application's loggers, and is disposed of with the container. Where
    /// the application registers no <see cref="NpgsqlDataSource"/> of its own, it finds this one as such, for its own transactions.</summary>
    /// <inheritdoc cref="AddCrawlData(IServiceCollection, Action{CrawlDataOptions})" path="/remarks"/>
    /// <param name="services">The application's services.</param>
    /// <param name="connectionString">The database, as Npgsql takes it.</param>
    /// <param name="configure">Sets options; may be null.</param>
    /// <exception cref="InvalidValueException">Npgsql does not take the connection string, which the message does not show.</exception>
    /// <exception cref="InvalidOperationException">A connection string was given before.</exception>
    public static IServiceCollection AddCrawlData(this IServiceCollection services, string connectionString, Action<CrawlDataOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(connectionString);
        if (services.Any(service => Equals(service.ServiceKey, DataSourceKey)))
        {
            throw new InvalidOperationException("CrawlData has a connection string already.");
        }

        RequireConnectionString(connectionString);
        services.AddKeyedSingleton(
            DataSourceKey,
            (provider, _) => new NpgsqlDataSourceBuilder(connectionString).UseLoggerFactory(provider.GetService<ILoggerFactory>()).Build());
        services.AddCrawlData(options =>
        {
            options.DataSource = provider => provider.GetRequiredKeyedService<NpgsqlDataSource>(DataSourceKey);
            configure?.Invoke(options);
        });
        services.TryAddSingleton(Primary);
        return services;
    }

    private static void RequireConnectionString(string connectionString)
    {
        try
        {
            // Built, since only then are its settings held against each other; nothing is opened.
            using var dataSource = new NpgsqlDataSourceBuilder(connectionString).Build();
        }
        catch (Exception exception) when (exception is ArgumentException or FormatException or InvalidOperationException or NotSupportedException)
        {
            // Without the cause: its message may quote the string.
            throw new InvalidValueException("connection_string", "is not one that Npgsql takes: it looks like 'Host=localhost;Username=me;Password=…;Database=crawls'");
        }
    }

    private static CrawlDataOptions Options(IServiceProvider provider) => provider.GetRequiredService<IOptions<CrawlDataOptions>>().Value;

    private static NpgsqlDataSource Primary(IServiceProvider provider) => provider.GetRequiredService<CrawlDataSources>().Primary;

    private static NpgsqlDataSource Reads(IServiceProvider provider) => provider.GetRequiredService<CrawlDataSources>().Reads;

    private static TimeProvider? Time(IServiceProvider provider) => provider.GetService<TimeProvider>();

    private static ILogger<T>? Logger<T>(IServiceProvider provider) => provider.GetService<ILogger<T>>();
}
