using CrawlData;
using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.DependencyInjection;
using CrawlData.Diagnostics;
using CrawlData.Instrumentation;
using CrawlData.Recordings;
using CrawlData.Retention;
using CrawlData.Schema;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers CrawlData in an application's dependency injection.</summary>
public static class CrawlDataServiceCollectionExtensions
{
    // A private object, so that no other registration has the same key.
    private static readonly object DataSourceKey = new();

    /// <summary>Adds the services of CrawlData as singletons over the application's <see cref="NpgsqlDataSource"/>. A second call only
    /// sets options.</summary>
    /// <remarks>
    /// <para><b>Services.</b> The repositories, the queues, the event writer, the migrator, the sweeper and the purger. Also the importer and exporter of
    /// recordings, the status reader, the doctor and the health check.</para>
    /// <para><b>Data source.</b> The application disposes its data source. When the data source has several hosts, CrawlData works on the primary.
    /// <see cref="CrawlDataOptions.ReadFromStandby"/> lets reads go to a standby. Calls for two data sources keep the host from starting.</para>
    /// <para><b>Start.</b> The schema is migrated before any other hosted service starts, unless <see cref="CrawlDataOptions.MigrateAtStartup"/> is false. The
    /// host does not start when the migration fails, when an option is out of range, or when there is no data source. It waits for a server that cannot be
    /// reached yet, for <see cref="RetryOptions.Limit"/>. After the migration, what <see cref="DatabaseDoctor"/> finds is logged as warnings. The obsolete
    /// <c>WebHost</c> does not run this phase: call <see cref="SchemaMigrator.MigrateAsync"/> there.</para>
    /// <para><b>Stop.</b> The <see cref="CrawlEventWriter"/> is flushed when all hosted services have stopped.</para>
    /// <para><b>Configuration.</b> The options are an <see cref="IOptions{TOptions}"/>, so the application's configuration may set them too.</para>
    /// <para><b>Clock.</b> Pauses and limits are measured by the registered <see cref="TimeProvider"/>, or else by the system's.</para>
    /// </remarks>
    /// <param name="services">The application's services.</param>
    /// <param name="configure">Sets options; may be null.</param>
    /// <returns><paramref name="services"/>, for further calls.</returns>
    /// <example>
    /// <code>
    /// builder.Services.AddSingleton(NpgsqlDataSource.Create(connectionString));
    /// builder.Services.AddCrawlData(options =&gt; options.MigrateAtStartup = false);
    /// </code>
    /// </example>
    public static IServiceCollection AddCrawlData(this IServiceCollection services, Action<CrawlDataOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddOptions<CrawlDataOptions>().Configure(options =>
        {
            var earlier = options.DataSource;
            configure?.Invoke(options);
            if (earlier is not null && options.DataSource != earlier)
            {
                throw new InvalidOperationException(CrawlDataSources.Several);
            }
        });
        RegisteredDataSources.Record(services);
        if (services.Any(service => service.ServiceType == typeof(CrawlDataSources)))
        {
            return services;
        }

        services.AddSingleton<CrawlDataSources>();
        services.AddSingleton(provider => new SchemaMigrator(Primary(provider), Options(provider).Migration, Logger<SchemaMigrator>(provider), Time(provider)));
        services.AddSingleton(provider => new CrawlRunRepository(Primary(provider), Reads(provider), Logger<CrawlRunRepository>(provider)));
        services.AddSingleton(provider => new CrawlRunQueue(Primary(provider), Logger<CrawlRunQueue>(provider)));
        services.AddSingleton(provider => new CrawlEventRepository(
            Primary(provider), Reads(provider), Options(provider).Retry, Options(provider).Notify, Logger<CrawlEventRepository>(provider), Time(provider)));
        services.AddSingleton(provider => new CrawlEventWriter(
            provider.GetRequiredService<CrawlEventRepository>(), Options(provider).Writer, Logger<CrawlEventWriter>(provider), Time(provider)));
        services.AddSingleton(provider => new AuditSessionRepository(Primary(provider), Reads(provider), Logger<AuditSessionRepository>(provider)));
        services.AddSingleton(provider => new AuditSessionQueue(Primary(provider), Logger<AuditSessionQueue>(provider)));
        services.AddSingleton(provider => new AuditPageRepository(Primary(provider), Reads(provider), Logger<AuditPageRepository>(provider)));
        services.AddSingleton(provider => new ArtifactRepository(
            Primary(provider), Reads(provider), Options(provider).Retention, Logger<ArtifactRepository>(provider)));
        services.AddSingleton(provider => new CrawlLogRepository(
            Primary(provider), Reads(provider), Options(provider).Retry, Logger<CrawlLogRepository>(provider), Time(provider)));
        services.AddSingleton(provider => new ArtifactSweeper(Primary(provider), Logger<ArtifactSweeper>(provider)));
        services.AddSingleton(provider => new RetentionPurger(Primary(provider), Logger<RetentionPurger>(provider)));
        services.AddSingleton(provider => new DatabaseStatusReader(Primary(provider), provider.GetService<ILoggerFactory>()));
        services.AddSingleton(provider => new DatabaseDoctor(Primary(provider)));
        services.AddSingleton(provider => new RecordingImporter(Primary(provider)));
        services.AddSingleton(provider => new RecordingExporter(Reads(provider)));
        services.AddSingleton(provider => new CrawlDataHealthCheck(
            Primary(provider), Options(provider).ExpectWrites, Logger<CrawlDataHealthCheck>(provider)));
        services.AddHostedService<MigrationAtStartup>();
        services.AddHostedService<FlushAtShutdown>();
        return services;
    }

    /// <summary>Adds the services of CrawlData as singletons over a data source of their own, made from a connection string.</summary>
    /// <remarks>
    /// <para><b>Data source.</b> It uses the application's loggers, and the container disposes it. It is also registered as <see cref="NpgsqlDataSource"/> when
    /// the application has registered none, for transactions of the application's own.</para>
    /// <para>The other overload describes the start, the stop, the configuration and the clock.</para>
    /// </remarks>
    /// <param name="services">The application's services.</param>
    /// <param name="connectionString">The database: a connection string of Npgsql. With several hosts, CrawlData works on the primary.</param>
    /// <param name="configure">Sets options; may be null.</param>
    /// <returns><paramref name="services"/>, for further calls.</returns>
    /// <exception cref="InvalidValueException">Npgsql refuses the connection string. The message does not quote it, because it may hold a password.</exception>
    /// <exception cref="InvalidOperationException">A connection string was passed in an earlier call.</exception>
    /// <example>
    /// <code>
    /// builder.Services.AddCrawlData(builder.Configuration.GetConnectionString("Crawls")!);
    /// </code>
    /// </example>
    public static IServiceCollection AddCrawlData(this IServiceCollection services, string connectionString, Action<CrawlDataOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(connectionString);
        if (services.Any(service => Equals(service.ServiceKey, DataSourceKey)))
        {
            throw new InvalidOperationException("AddCrawlData already has a connection string. Pass one in one call only.");
        }

        RequireConnectionString(connectionString);
        services.AddKeyedSingleton(
            DataSourceKey,
            (provider, _) => new NpgsqlDataSourceBuilder(connectionString)
                .UseLoggerFactory(provider.GetService<ILoggerFactory>() is { } factory ? new GuardedLoggerFactory(factory) : null)
                .Build());
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
            // Only Build checks the settings against each other. It opens no connection.
            using var dataSource = new NpgsqlDataSourceBuilder(connectionString).Build();
        }
        catch (Exception exception) when (exception is ArgumentException or FormatException or InvalidOperationException or NotSupportedException)
        {
            // The cause is left out, because its message may quote the string.
            throw new InvalidValueException(
                "connection_string", "is refused by Npgsql; an example of a valid one is 'Host=localhost;Username=me;Password=…;Database=crawls'");
        }
    }

    private static CrawlDataOptions Options(IServiceProvider provider) => provider.GetRequiredService<IOptions<CrawlDataOptions>>().Value;

    private static NpgsqlDataSource Primary(IServiceProvider provider) => provider.GetRequiredService<CrawlDataSources>().Primary;

    private static NpgsqlDataSource Reads(IServiceProvider provider) => provider.GetRequiredService<CrawlDataSources>().Reads;

    private static TimeProvider? Time(IServiceProvider provider) => provider.GetService<TimeProvider>();

    private static ILogger<T>? Logger<T>(IServiceProvider provider) => provider.GetService<ILogger<T>>();
}
