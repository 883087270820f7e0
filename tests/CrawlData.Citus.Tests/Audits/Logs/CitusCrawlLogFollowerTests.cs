using CrawlData.Citus.Tests.Clusters;
using CrawlData.Testing;
using CrawlData.Tests.Audits;

namespace CrawlData.Citus.Tests.Audits.Logs;

/// <inheritdoc/>
[TestFixture(CitusLayout.TenantSchema)]
public sealed class CitusCrawlLogFollowerTests(CitusLayout layout) : CrawlLogFollowerTests
{
    protected override Task<ThrowawayDatabase> CreateDatabaseAsync() => CitusDatabase.StartAsync(layout);
}
