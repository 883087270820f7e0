using CrawlData.Citus.Tests.Clusters;
using CrawlData.Testing;
using CrawlData.Tests.Crawls;

namespace CrawlData.Citus.Tests.Crawls.Following;

/// <inheritdoc/>
[TestFixture(CitusLayout.TenantSchema)]
[TestFixture(CitusLayout.DistributedCrawls)]
public sealed class CitusCrawlEventFollowAllTests(CitusLayout layout) : CrawlEventFollowAllTests
{
    protected override Task<ThrowawayDatabase> CreateDatabaseAsync() => CitusDatabase.StartAsync(layout);
}
