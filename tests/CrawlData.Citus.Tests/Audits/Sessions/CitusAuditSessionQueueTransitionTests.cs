using CrawlData.Citus.Tests.Clusters;
using CrawlData.Testing;
using CrawlData.Tests.Audits;

namespace CrawlData.Citus.Tests.Audits.Sessions;

/// <inheritdoc/>
[TestFixture(CitusLayout.TenantSchema)]
[TestFixture(CitusLayout.DistributedCrawls)]
public sealed class CitusAuditSessionQueueTransitionTests(CitusLayout layout) : AuditSessionQueueTransitionTests
{
    protected override Task<ThrowawayDatabase> CreateDatabaseAsync() => CitusDatabase.StartAsync(layout);
}
