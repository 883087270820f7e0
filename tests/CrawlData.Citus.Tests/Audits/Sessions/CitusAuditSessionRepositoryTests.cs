using CrawlData.Citus.Tests.Clusters;
using CrawlData.Testing;
using CrawlData.Tests.Audits;

namespace CrawlData.Citus.Tests.Audits.Sessions;

/// <inheritdoc/>
[TestFixture(CitusLayout.TenantSchema)]
public sealed class CitusAuditSessionRepositoryTests(CitusLayout layout) : AuditSessionRepositoryTests
{
    protected override Task<ThrowawayDatabase> CreateDatabaseAsync() => CitusDatabase.StartAsync(layout);
}
