using System.Diagnostics.CodeAnalysis;
using CrawlData;
using CrawlData.Crawls;
using CrawlData.DependencyInjection;
using CrawlData.Diagnostics;
using CrawlData.Retention;
using CrawlData.Schema;
using CrawlData.Workers;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers CrawlData in an application's dependency injection.</summary>
public static class CrawlDataServiceCollectionExtensions
{
    /// <summary>Adds the services of CrawlData as singletons over the application's <see cref="NpgsqlDataSource"/>. A second call only
    /// sets options.</summary>
    /// <remarks>
    /// <para><b>Services.</b> The repositories, the queues, the event writer, the migrator, the sweeper and the purger. Also the importer and exporter of
    /// recordings, the status reader, the doctor and the health check.</para>
    /// <para><b>Data source.</b> The application disposes its data source. When the data source has several hosts, CrawlData works on the primary.
    /// <see cref="CrawlDataOptions.ReadFromStandby"/> lets reads go to a standby. Calls for two data sources keep the host from starting:
    /// <c>AddKeyedCrawlData</c> is for several databases.</para>
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
    public static IServiceCollection AddCrawlData(this IServiceCollection services, Action<CrawlDataOptions>? configure = null) =>
        services.AddDatabase(null, configure);

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
    public static IServiceCollection AddCrawlData(this IServiceCollection services, string connectionString, Action<CrawlDataOptions>? configure = null) =>
        services.AddDatabase(null, connectionString, configure);

    /// <summary>Adds a hosted worker that claims audit sessions, and calls a handler for each. Call it after <c>AddCrawlData</c>.</summary>
    /// <remarks>
    /// <para><b>Outcome.</b> A session whose handler returns is completed. One whose handler throws is queued again, with a delay that is stored in the
    /// database. After <see cref="WorkerOptions.MaxAttempts"/> it has failed.</para>
    /// <para><b>Death.</b> The worker sends heartbeats for its sessions. It rescues sessions of any worker that has sent none for
    /// <see cref="WorkerOptions.StaleAfter"/>. The token of a handler whose session was rescued is cancelled, and nothing more is stored for it.</para>
    /// <para><b>Stop.</b> The worker claims no more. Handlers may finish for <see cref="WorkerOptions.ShutdownTimeout"/>. Then their token is cancelled, and
    /// their sessions are queued again at once. That counts as no failure.</para>
    /// <para><b>Outage.</b> The worker survives it, and stores the ends of its sessions afterwards.</para>
    /// <para><b>Latency.</b> With <see cref="CrawlDataOptions.Notify"/> the worker claims new sessions at once, otherwise at
    /// <see cref="WorkerOptions.PollInterval"/>.</para>
    /// </remarks>
    /// <typeparam name="THandler">The handler. It is registered as a scoped service, unless it is registered already.</typeparam>
    /// <param name="services">The application's services.</param>
    /// <param name="configure">Sets options; may be null. The options are named <see cref="WorkerOptions.Audits"/>.</param>
    /// <returns><paramref name="services"/>, for further calls.</returns>
    /// <exception cref="InvalidOperationException">An audit worker with another handler was added.</exception>
    /// <example>
    /// <code>
    /// builder.Services.AddAuditWorker&lt;Auditor&gt;(options =&gt; options.Concurrency = 4);
    /// </code>
    /// </example>
    public static IServiceCollection AddAuditWorker<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] THandler>(
        this IServiceCollection services, Action<WorkerOptions>? configure = null)
        where THandler : class, IAuditHandler =>
        services.AddAudits<THandler>(null, configure);

    /// <summary>Adds a hosted worker that claims crawl runs, and calls a handler for each. Call it after <c>AddCrawlData</c>.</summary>
    /// <remarks>
    /// <para><b>Outcome.</b> A run whose handler returns is completed, after its events were flushed. One whose handler throws has failed. A new run retries
    /// it, with a delay that is stored in the database, up to <see cref="WorkerOptions.MaxAttempts"/>.</para>
    /// <para><b>Death.</b> The worker sends heartbeats for its runs. It fails and retries runs of any worker that had neither heartbeat nor event for
    /// <see cref="WorkerOptions.StaleAfter"/>. The token of a handler whose run was failed is cancelled, and nothing more is stored for it.</para>
    /// <para><b>Stop.</b> The worker claims no more. Handlers may finish for <see cref="WorkerOptions.ShutdownTimeout"/>. Then their token is cancelled, their
    /// events are flushed, and their runs are PENDING again. That counts as no failure. No run is CANCELLED.</para>
    /// <para><b>Outage.</b> The worker survives it, and stores the events and ends of its runs afterwards.</para>
    /// <para><b>Latency.</b> With <see cref="CrawlDataOptions.Notify"/> the worker claims new runs at once, otherwise at
    /// <see cref="WorkerOptions.PollInterval"/>.</para>
    /// </remarks>
    /// <typeparam name="THandler">The handler. It is registered as a scoped service, unless it is registered already.</typeparam>
    /// <param name="services">The application's services.</param>
    /// <param name="configure">Sets options; may be null. The options are named <see cref="WorkerOptions.Crawls"/>.</param>
    /// <returns><paramref name="services"/>, for further calls.</returns>
    /// <exception cref="InvalidOperationException">A crawl worker with another handler was added.</exception>
    /// <example>
    /// <code>
    /// builder.Services.AddCrawlWorker&lt;Crawler&gt;(options =&gt; options.Concurrency = 4);
    /// </code>
    /// </example>
    public static IServiceCollection AddCrawlWorker<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] THandler>(
        this IServiceCollection services, Action<WorkerOptions>? configure = null)
        where THandler : class, ICrawlHandler =>
        services.AddCrawls<THandler>(null, configure);

    /// <summary>Adds a hosted service that sweeps expired artifacts, and purges old rows, at an interval. Call it after <c>AddCrawlData</c>.</summary>
    /// <remarks>
    /// <para>It sweeps when an <see cref="IArtifactStore"/> is registered. It purges the rows for which an age is set. Each round continues where the last one
    /// ended. An error is logged, and keeps neither the other jobs nor the next round from running.</para>
    /// <para>Any number of processes may run it. Sweeps and purges skip the rows that another has locked, so no artifact is deleted by two at a time.</para>
    /// </remarks>
    /// <param name="services">The application's services.</param>
    /// <param name="configure">Sets options; may be null. The host does not start when there is nothing to do.</param>
    /// <returns><paramref name="services"/>, for further calls.</returns>
    /// <example>
    /// <code>
    /// builder.Services.AddSingleton&lt;IArtifactStore&gt;(new FileArtifactStore(["/var/audits"]));
    /// builder.Services.AddCrawlDataJanitor(options =&gt; options.PurgeSessionsAfter = TimeSpan.FromDays(400));
    /// </code>
    /// </example>
    public static IServiceCollection AddCrawlDataJanitor(this IServiceCollection services, Action<JanitorOptions>? configure = null) =>
        services.AddJanitor(null, configure);
}
