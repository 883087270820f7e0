using CrawlData.Audits;
using CrawlData.Crawls;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CrawlData.Dashboard.Reads;

/// <summary>The repositories over the dashboard's data source. Each call takes the transaction of its request.</summary>
internal sealed class Repositories(NpgsqlDataSource dataSource, IServiceProvider services)
{
    public CrawlRunRepository Runs { get; } = new(dataSource, logger: services.GetService<ILogger<CrawlRunRepository>>());

    public CrawlRunQueue RunQueue { get; } = new(dataSource, services.GetService<ILogger<CrawlRunQueue>>());

    public CrawlEventRepository Events { get; } = new(dataSource, logger: services.GetService<ILogger<CrawlEventRepository>>());

    public AuditSessionRepository Sessions { get; } = new(dataSource, logger: services.GetService<ILogger<AuditSessionRepository>>());

    public AuditSessionQueue SessionQueue { get; } = new(dataSource, services.GetService<ILogger<AuditSessionQueue>>());

    public AuditPageRepository Pages { get; } = new(dataSource, logger: services.GetService<ILogger<AuditPageRepository>>());

    public ArtifactRepository Artifacts { get; } = new(dataSource, logger: services.GetService<ILogger<ArtifactRepository>>());

    public CrawlLogRepository Logs { get; } = new(dataSource, logger: services.GetService<ILogger<CrawlLogRepository>>());
}
