using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace CrawlData.DependencyInjection;

/// <summary>The data sources that were registered when <c>AddCrawlData</c> was called, the last one of each call. The container would give the last of all to
/// the services, and ignore the others.</summary>
internal sealed class RegisteredDataSources
{
    private readonly HashSet<ServiceDescriptor> dataSources = [];

    /// <summary>Whether two calls found different ones.</summary>
    public bool AreSeveral => dataSources.Count > 1;

    /// <summary>Records a call.</summary>
    public static void Record(IServiceCollection services)
    {
        var registered = services.Where(service => !service.IsKeyedService)
            .Select(service => service.ImplementationInstance)
            .OfType<RegisteredDataSources>()
            .FirstOrDefault();
        if (registered is null)
        {
            services.AddSingleton(registered = new RegisteredDataSources());
        }

        if (services.LastOrDefault(service => !service.IsKeyedService && service.ServiceType == typeof(NpgsqlDataSource)) is { } dataSource)
        {
            registered.dataSources.Add(dataSource);
        }
    }
}
