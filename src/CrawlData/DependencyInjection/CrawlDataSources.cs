using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Npgsql;

namespace CrawlData.DependencyInjection;

/// <summary>The data sources of the registered services.</summary>
internal sealed class CrawlDataSources
{
    public CrawlDataSources(IServiceProvider provider, IOptions<CrawlDataOptions> options)
    {
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
