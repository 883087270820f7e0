using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace CrawlData.DependencyInjection;

/// <summary>A database for which <c>AddCrawlData</c> or <c>AddKeyedCrawlData</c> was called.</summary>
/// <param name="key">The services' key; null for services without one.</param>
internal sealed class RegisteredDatabase(string? key)
{
    private readonly HashSet<ServiceDescriptor> dataSources = [];

    /// <summary>Gets the services' key; null for services without one.</summary>
    public string? Key => key;

    /// <summary>Gets whether two calls found different data sources. The container would give the last of all to the services, and ignore the others.</summary>
    public bool HasSeveralDataSources => dataSources.Count > 1;

    /// <summary>Records a call, and the data source that was registered last before it.</summary>
    /// <returns>Whether it is the first call for the key.</returns>
    public static bool Record(IServiceCollection services, string? key)
    {
        var database = services.Where(service => !service.IsKeyedService).Select(service => service.ImplementationInstance).OfType<RegisteredDatabase>()
            .FirstOrDefault(one => one.Key == key);
        var isFirst = database is null;
        if (database is null)
        {
            services.AddSingleton(database = new RegisteredDatabase(key));
        }

        if (services.LastOrDefault(service => service.ServiceType == typeof(NpgsqlDataSource) && Equals(service.ServiceKey, key)) is { } dataSource)
        {
            database.dataSources.Add(dataSource);
        }

        return isFirst;
    }
}
