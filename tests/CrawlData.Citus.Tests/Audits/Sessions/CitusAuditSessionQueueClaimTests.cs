using CrawlData.Citus.Tests.Clusters;
using CrawlData.Testing;
using CrawlData.Tests.Audits;

namespace CrawlData.Citus.Tests.Audits.Sessions;

/// <inheritdoc/>
[TestFixture(CitusLayout.TenantSchema)]
[TestFixture(CitusLayout.DistributedCrawls)]
public sealed class CitusAuditSessionQueueClaimTests(CitusLayout layout) : AuditSessionQueueClaimTests
{
    protected override Task<ThrowawayDatabase> CreateDatabaseAsync() => CitusDatabase.StartAsync(layout);
}
