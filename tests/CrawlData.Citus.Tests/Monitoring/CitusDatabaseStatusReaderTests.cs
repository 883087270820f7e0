using CrawlData.Citus.Tests.Clusters;
using CrawlData.Testing;
using CrawlData.Tests.Diagnostics;

namespace CrawlData.Citus.Tests.Monitoring;

/// <inheritdoc/>
[TestFixture(CitusLayout.TenantSchema)]
[TestFixture(CitusLayout.DistributedCrawls)]
public sealed class CitusDatabaseStatusReaderTests(CitusLayout layout) : DatabaseStatusReaderTests
{
    protected override Task<ThrowawayDatabase> CreateDatabaseAsync() => CitusDatabase.StartAsync(layout);
}
