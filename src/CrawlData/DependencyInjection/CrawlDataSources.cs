using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Npgsql;

namespace CrawlData.DependencyInjection;

/// <summary>The data sources of the registered services.</summary>
internal sealed class CrawlDataSources
{
    public const string Several =
        "AddCrawlData was called for two data sources. The services are registered once, so they can use one data source only.";

    public CrawlDataSources(IServiceProvider provider, IOptions<CrawlDataOptions> options, RegisteredDataSources registered)
    {
        if (options.Value.DataSource is null && registered.AreSeveral)
        {
            throw new InvalidOperationException(Several);
        }

        var dataSource = options.Value.DataSource?.Invoke(provider)
            ?? provider.GetService<NpgsqlDataSource>()
            ?? throw new InvalidOperationException("CrawlData needs an NpgsqlDataSource. Register one, or pass a connection string to AddCrawlData.");
        (Primary, Reads) = dataSource is NpgsqlMultiHostDataSource hosts
            ? (hosts.WithTargetSession(TargetSessionAttributes.Primary),
               hosts.WithTargetSession(options.Value.ReadFromStandby ? TargetSessionAttributes.PreferStandby : TargetSessionAttributes.Primary))
            : (dataSource, dataSource);
    }

    /// <summary>Serves everything that must run on the primary.</summary>
    public NpgsqlDataSource Primary { get; }

    /// <summary>Serves reads outside a transaction: from a standby when <see cref="CrawlDataOptions.ReadFromStandby"/> is set.</summary>
    public NpgsqlDataSource Reads { get; }
}
