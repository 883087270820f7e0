using CrawlData.Citus.Tests.Clusters;
using CrawlData.Testing;
using CrawlData.Tests.Crawls;

namespace CrawlData.Citus.Tests.Crawls;

/// <inheritdoc/>
[TestFixture(CitusLayout.TenantSchema)]
[TestFixture(CitusLayout.DistributedCrawls)]
public sealed class CitusCrawlEventRepositoryReadTests(CitusLayout layout) : CrawlEventRepositoryReadTests
{
    protected override Task<ThrowawayDatabase> CreateDatabaseAsync() => CitusDatabase.StartAsync(layout);
}
