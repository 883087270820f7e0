using System.Diagnostics.CodeAnalysis;
using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Diagnostics;
using CrawlData.Instrumentation;
using CrawlData.Recordings;
using CrawlData.Retention;
using CrawlData.Schema;
using CrawlData.Workers;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CrawlData.DependencyInjection;

/// <summary>Registers the services of a database, with a key or without one.</summary>
internal static class DatabaseRegistration
{
    public static IServiceCollection AddDatabase(this IServiceCollection services, string? key, Action<CrawlDataOptions>? configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddOptions<CrawlDataOptions>(key).Configure(options =>
        {
            var earlier = options.DataSource;
            configure?.Invoke(options);
            if (earlier is not null && options.DataSource != earlier)
            {
                throw new InvalidOperationException(CrawlDataSources.Several);
            }
        });
        if (!RegisteredDatabase.Record(services, key))
        {
            return services;
        }

        services.Add(new ServiceDescriptor(
            typeof(CrawlDataSources),
            key,
            (provider, _) => new CrawlDataSources(provider, key, new DatabaseServices(provider, key).Options),
            ServiceLifetime.Singleton));
        services.Add(key, own => new SchemaMigrator(own.Primary, own.Options.Migration, own.Logger<SchemaMigrator>(), own.Time));
        services.Add(key, own => new CrawlRunRepository(own.Primary, own.Reads, own.Logger<CrawlRunRepository>(), own.Options.Notify));
        services.Add(key, own => new CrawlRunQueue(own.Primary, own.Logger<CrawlRunQueue>(), own.Options.Notify, own.Time));
        services.Add(key, own => new CrawlEventRepository(
            own.Primary, own.Reads, own.Options.Retry, own.Options.Notify, own.Logger<CrawlEventRepository>(), own.Time));
        services.Add(key, own => new CrawlEventWriter(own.Get<CrawlEventRepository>(), own.Options.Writer, own.Logger<CrawlEventWriter>(), own.Time));
        services.Add(key, own => new AuditSessionRepository(own.Primary, own.Reads, own.Logger<AuditSessionRepository>(), own.Options.Notify));
        services.Add(key, own => new AuditSessionQueue(own.Primary, own.Logger<AuditSessionQueue>(), own.Options.Notify, own.Time));
        services.Add(key, own => new AuditPageRepository(own.Primary, own.Reads, own.Logger<AuditPageRepository>()));
        services.Add(key, own => new ArtifactRepository(own.Primary, own.Reads, own.Options.Retention, own.Logger<ArtifactRepository>()));
        services.Add(key, own => new CrawlLogRepository(own.Primary, own.Reads, own.Options.Retry, own.Logger<CrawlLogRepository>(), own.Time));
        services.Add(key, own => new ArtifactSweeper(own.Primary, own.Logger<ArtifactSweeper>()));
        services.Add(key, own => new RetentionPurger(own.Primary, own.Logger<RetentionPurger>()));
        services.Add(key, own => new EventPartitioner(own.Primary, null, own.Logger<EventPartitioner>(), own.Time));
        services.Add(key, own => new DatabaseStatusReader(own.Primary, own.LoggerFactory));
        services.Add(key, own => new DatabaseDoctor(own.Primary));
        services.Add(key, own => new RecordingImporter(own.Primary));
        services.Add(key, own => new RecordingExporter(own.Reads));
        services.Add(key, own => new CrawlDataHealthCheck(own.Primary, own.Options.ExpectWrites, own.Logger<CrawlDataHealthCheck>()));

        // One of each serves all databases.
        services.AddHostedService<MigrationAtStartup>();
        services.AddHostedService<FlushAtShutdown>();
        return services;
    }

    public static IServiceCollection AddDatabase(
        this IServiceCollection services, string? key, string connectionString, Action<CrawlDataOptions>? configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(connectionString);
        var dataSourceKey = new ConnectionStringKey(key);
        if (services.Any(service => Equals(service.ServiceKey, dataSourceKey)))
        {
            throw new InvalidOperationException(key is null
                ? "AddCrawlData already has a connection string. Pass one in one call only."
                : $"AddKeyedCrawlData already has a connection string for the key \"{key}\". Pass one in one call only.");
        }

        RequireConnectionString(connectionString);
        services.AddKeyedSingleton(
            dataSourceKey,
            (provider, _) => new NpgsqlDataSourceBuilder(connectionString)
                .UseLoggerFactory(provider.GetService<ILoggerFactory>() is { } factory ? new GuardedLoggerFactory(factory) : null)
                .Build());
        services.AddDatabase(key, options =>
        {
            options.DataSource = provider => provider.GetRequiredKeyedService<NpgsqlDataSource>(dataSourceKey);
            configure?.Invoke(options);
        });
        services.TryAdd(Describe(key, own => own.Primary));
        return services;
    }

    public static IServiceCollection AddAudits<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] THandler>(
        this IServiceCollection services, string? key, Action<WorkerOptions>? configure)
        where THandler : class, IAuditHandler =>
        services.AddWorker<THandler>(key, WorkerOptions.Audits, configure, (own, options) => new AuditWorker<THandler>(
            own.Primary, own.Get<AuditSessionQueue>(), options, own.Options.Notify, key, own.Scopes, own.Time, own.Logger<THandler>()));

    public static IServiceCollection AddCrawls<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] THandler>(
        this IServiceCollection services, string? key, Action<WorkerOptions>? configure)
        where THandler : class, ICrawlHandler =>
        services.AddWorker<THandler>(key, WorkerOptions.Crawls, configure, (own, options) => new CrawlWorker<THandler>(
            own.Primary,
            own.Get<CrawlRunQueue>(),
            own.Get<CrawlEventWriter>(),
            options,
            own.Options.Notify,
            key,
            own.Scopes,
            own.Time,
            own.Logger<THandler>()));

    public static IServiceCollection AddJanitor(this IServiceCollection services, string? key, Action<JanitorOptions>? configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddOptions<JanitorOptions>(key).Configure(options => configure?.Invoke(options));
        if (RegisteredJob.Record(services, new RegisteredJob(key, "The janitor")))
        {
            services.AddHosted(key, own => new Janitor(
                own.Get<ArtifactSweeper>(),
                own.Get<RetentionPurger>(),
                new EventPartitioner(
                    own.Primary,
                    new EventPartitionerOptions { Ahead = own.NamedOptions<JanitorOptions>(key ?? "").PartitionsAhead },
                    own.Logger<EventPartitioner>(),
                    own.Time),
                own.NamedOptions<JanitorOptions>(key ?? ""),
                key,
                own.Scopes,
                own.Time,
                own.Logger<ArtifactSweeper>()));
        }

        return services;
    }

    private static IServiceCollection AddWorker<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] THandler>(
        this IServiceCollection services,
        string? key,
        string queue,
        Action<WorkerOptions>? configure,
        Func<DatabaseServices, WorkerOptions, IHostedService> create)
        where THandler : class
    {
        ArgumentNullException.ThrowIfNull(services);
        var name = WorkerOptions.NameOf(queue, key);
        if (RegisteredJob.Record(services, new RegisteredJob(key, name, typeof(THandler))))
        {
            services.AddHosted(key, own => create(own, own.NamedOptions<WorkerOptions>(name)));
        }

        services.TryAdd(new ServiceDescriptor(typeof(THandler), key, typeof(THandler), ServiceLifetime.Scoped));
        services.AddOptions<WorkerOptions>(name).Configure(options => configure?.Invoke(options));
        return services;
    }

    private static void Add<T>(this IServiceCollection services, string? key, Func<DatabaseServices, T> create) where T : class =>
        services.Add(Describe(key, create));

    private static ServiceDescriptor Describe<T>(string? key, Func<DatabaseServices, T> create) where T : class =>
        new(typeof(T), key, (provider, _) => create(new DatabaseServices(provider, key)), ServiceLifetime.Singleton);

    // The host starts the hosted services without a key only.
    private static void AddHosted(this IServiceCollection services, string? key, Func<DatabaseServices, IHostedService> create) =>
        services.AddSingleton(provider => create(new DatabaseServices(provider, key)));

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
}
