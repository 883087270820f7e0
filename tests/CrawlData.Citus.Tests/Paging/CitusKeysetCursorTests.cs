using CrawlData.Citus.Tests.Clusters;
using CrawlData.Testing;
using CrawlData.Tests;

namespace CrawlData.Citus.Tests.Paging;

/// <inheritdoc/>
[TestFixture(CitusLayout.TenantSchema)]
[TestFixture(CitusLayout.DistributedCrawls)]
public sealed class CitusKeysetCursorTests(CitusLayout layout) : KeysetCursorTests
{
    protected override Task<ThrowawayDatabase> CreateDatabaseAsync() => CitusDatabase.StartAsync(layout);
}
