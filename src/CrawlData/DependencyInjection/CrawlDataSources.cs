using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Npgsql;

namespace CrawlData.DependencyInjection;

/// <summary>Where statements go.</summary>
internal sealed class CrawlDataSources
{
    public CrawlDataSources(IServiceProvider provider, IOptions<CrawlDataOptions> options)
    {
        var dataSource = options.Value.DataSource?.Invoke(provider)
            ?? provider.GetService<NpgsqlDataSource>()
            ?? throw new InvalidOperationException("CrawlData has no NpgsqlDataSource: register one, or give AddCrawlData a connection string.");
        (Primary, Reads) = dataSource is NpgsqlMultiHostDataSource hosts
            ? (hosts.WithTargetSession(TargetSessionAttributes.Primary),
               hosts.WithTargetSession(options.Value.ReadFromStandby ? TargetSessionAttributes.PreferStandby : TargetSessionAttributes.Primary))
            : (dataSource, dataSource);
    }

    public NpgsqlDataSource Primary { get; }

    public NpgsqlDataSource Reads { get; }
}
