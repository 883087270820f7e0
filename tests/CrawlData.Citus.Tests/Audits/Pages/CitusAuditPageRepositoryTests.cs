using CrawlData.Citus.Tests.Clusters;
using CrawlData.Testing;
using CrawlData.Tests.Audits;

namespace CrawlData.Citus.Tests.Audits.Pages;

/// <inheritdoc/>
[TestFixture(CitusLayout.TenantSchema)]
public sealed class CitusAuditPageRepositoryTests(CitusLayout layout) : AuditPageRepositoryTests
{
    protected override Task<ThrowawayDatabase> CreateDatabaseAsync() => CitusDatabase.StartAsync(layout);
}
