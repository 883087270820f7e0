using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace CrawlData.DependencyInjection;

/// <summary>The data sources of a database's services.</summary>
internal sealed class CrawlDataSources
{
    public const string Several =
        "AddCrawlData was called for two data sources. The services are registered once, so they can use one data source only. "
            + "Use AddKeyedCrawlData for further databases.";

    public CrawlDataSources(IServiceProvider provider, string? key, CrawlDataOptions options)
    {
        if (options.DataSource is null && provider.GetServices<RegisteredDatabase>().Single(database => database.Key == key).HasSeveralDataSources)
        {
            throw new InvalidOperationException(Several);
        }

        // Not the data source without a key: a mistyped key must not send rows to another database.
        var dataSource = options.DataSource?.Invoke(provider) ?? DatabaseServices.Find<NpgsqlDataSource>(provider, key)
            ?? throw new InvalidOperationException(key is null
                ? "CrawlData needs an NpgsqlDataSource. Register one, or pass a connection string to AddCrawlData."
                : $"CrawlData needs an NpgsqlDataSource with the key \"{key}\". Register one, or pass a connection string to AddKeyedCrawlData.");
        (Primary, Reads) = dataSource is NpgsqlMultiHostDataSource hosts
            ? (hosts.WithTargetSession(TargetSessionAttributes.Primary),
               hosts.WithTargetSession(options.ReadFromStandby ? TargetSessionAttributes.PreferStandby : TargetSessionAttributes.Primary))
            : (dataSource, dataSource);
    }

    /// <summary>Serves everything that must run on the primary.</summary>
    public NpgsqlDataSource Primary { get; }

    /// <summary>Serves reads outside a transaction: from a standby when <see cref="CrawlDataOptions.ReadFromStandby"/> is set.</summary>
    public NpgsqlDataSource Reads { get; }
}
