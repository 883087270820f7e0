using System.Diagnostics.CodeAnalysis;
using CrawlData;
using CrawlData.DependencyInjection;
using CrawlData.Retention;
using CrawlData.Workers;
using Npgsql;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers CrawlData for several databases in an application's dependency injection, as keyed services.</summary>
/// <remarks>Each database has services, options and a writer of its own. All are migrated at once when the host starts, and all writers are flushed at once
/// when it stops. One database without a key may stand beside those with one.</remarks>
public static class CrawlDataKeyedServiceCollectionExtensions
{
    /// <summary>Adds the services of CrawlData with a key, over the application's <see cref="NpgsqlDataSource"/> with the same key. A second call for the key
    /// only sets options.</summary>
    /// <remarks>
    /// <para><c>AddCrawlData</c> describes the services, the start, the stop and the clock. A data source without a key is not used.</para>
    /// <para><b>Configuration.</b> The options have the key as their name.</para>
    /// </remarks>
    /// <param name="services">The application's services.</param>
    /// <param name="serviceKey">The key, such as <c>"eu"</c>.</param>
    /// <param name="configure">Sets options; may be null.</param>
    /// <returns><paramref name="services"/>, for further calls.</returns>
    /// <exception cref="ArgumentException">The key is empty.</exception>
    /// <example>
    /// <code>
    /// builder.Services.AddKeyedSingleton("eu", NpgsqlDataSource.Create(connectionString));
    /// builder.Services.AddKeyedCrawlData("eu", options =&gt; options.Notify = true);
    /// </code>
    /// </example>
    public static IServiceCollection AddKeyedCrawlData(this IServiceCollection services, string serviceKey, Action<CrawlDataOptions>? configure = null) =>
        services.AddDatabase(Require(serviceKey), configure);

    /// <summary>Adds the services of CrawlData with a key, over a data source of their own, made from a connection string.</summary>
    /// <remarks>The data source is also registered as <see cref="NpgsqlDataSource"/> with the key, when the application has registered none.</remarks>
    /// <param name="services">The application's services.</param>
    /// <param name="serviceKey">The key, such as <c>"eu"</c>.</param>
    /// <param name="connectionString">The database: a connection string of Npgsql. With several hosts, CrawlData works on the primary.</param>
    /// <param name="configure">Sets options; may be null.</param>
    /// <returns><paramref name="services"/>, for further calls.</returns>
    /// <exception cref="ArgumentException">The key is empty.</exception>
    /// <exception cref="InvalidValueException">Npgsql refuses the connection string. The message does not quote it, because it may hold a password.</exception>
    /// <exception cref="InvalidOperationException">A connection string was passed for the key in an earlier call.</exception>
    /// <example>
    /// <code>
    /// builder.Services.AddKeyedCrawlData("eu", builder.Configuration.GetConnectionString("CrawlsEu")!);
    /// </code>
    /// </example>
    public static IServiceCollection AddKeyedCrawlData(
        this IServiceCollection services, string serviceKey, string connectionString, Action<CrawlDataOptions>? configure = null) =>
        services.AddDatabase(Require(serviceKey), connectionString, configure);

    /// <summary>Adds a hosted worker that claims audit sessions of the database with the key, as <c>AddAuditWorker</c> does for the one without.</summary>
    /// <remarks>The handler is resolved with the key, so a constructor's parameter with <see cref="FromKeyedServicesAttribute"/> gets the services of the
    /// database. A parameter with <see cref="ServiceKeyAttribute"/> gets the key.</remarks>
    /// <typeparam name="THandler">The handler. It is registered as a scoped service with the key, unless it is registered already.</typeparam>
    /// <param name="services">The application's services.</param>
    /// <param name="serviceKey">The key that was passed to <c>AddKeyedCrawlData</c>. The host does not start without such a call.</param>
    /// <param name="configure">Sets options; may be null. <see cref="WorkerOptions.NameOf"/> returns the name of the options.</param>
    /// <returns><paramref name="services"/>, for further calls.</returns>
    /// <exception cref="ArgumentException">The key is empty.</exception>
    /// <exception cref="InvalidOperationException">An audit worker with the key and another handler was added.</exception>
    public static IServiceCollection AddKeyedAuditWorker<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] THandler>(
        this IServiceCollection services, string serviceKey, Action<WorkerOptions>? configure = null)
        where THandler : class, IAuditHandler =>
        services.AddAudits<THandler>(Require(serviceKey), configure);

    /// <summary>Adds a hosted worker that claims crawl runs of the database with the key, as <c>AddCrawlWorker</c> does for the one without.</summary>
    /// <remarks>The handler is resolved with the key, as the handler of <see cref="AddKeyedAuditWorker"/> is.</remarks>
    /// <typeparam name="THandler">The handler. It is registered as a scoped service with the key, unless it is registered already.</typeparam>
    /// <param name="services">The application's services.</param>
    /// <param name="serviceKey">The key that was passed to <c>AddKeyedCrawlData</c>. The host does not start without such a call.</param>
    /// <param name="configure">Sets options; may be null. <see cref="WorkerOptions.NameOf"/> returns the name of the options.</param>
    /// <returns><paramref name="services"/>, for further calls.</returns>
    /// <exception cref="ArgumentException">The key is empty.</exception>
    /// <exception cref="InvalidOperationException">A crawl worker with the key and another handler was added.</exception>
    public static IServiceCollection AddKeyedCrawlWorker<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] THandler>(
        this IServiceCollection services, string serviceKey, Action<WorkerOptions>? configure = null)
        where THandler : class, ICrawlHandler =>
        services.AddCrawls<THandler>(Require(serviceKey), configure);

    /// <summary>Adds a hosted service that sweeps and purges the database with the key, as <c>AddCrawlDataJanitor</c> does for the one without.</summary>
    /// <remarks>It sweeps when an <see cref="IArtifactStore"/> with the key is registered. A store without a key is not used.</remarks>
    /// <param name="services">The application's services.</param>
    /// <param name="serviceKey">The key that was passed to <c>AddKeyedCrawlData</c>. The host does not start without such a call.</param>
    /// <param name="configure">Sets options; may be null. The options have the key as their name. The host does not start when there is nothing to do.</param>
    /// <returns><paramref name="services"/>, for further calls.</returns>
    /// <exception cref="ArgumentException">The key is empty.</exception>
    public static IServiceCollection AddKeyedCrawlDataJanitor(
        this IServiceCollection services, string serviceKey, Action<JanitorOptions>? configure = null) =>
        services.AddJanitor(Require(serviceKey), configure);

    // The empty name is that of the options without a key.
    private static string Require(string serviceKey)
    {
        ArgumentException.ThrowIfNullOrEmpty(serviceKey);
        return serviceKey;
    }
}
