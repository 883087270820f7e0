using CrawlData.Citus.Tests.Clusters;
using CrawlData.Testing;
using CrawlData.Tests.Retention;

namespace CrawlData.Citus.Tests.Retention;

/// <inheritdoc/>
[TestFixture(CitusLayout.TenantSchema)]
public sealed class CitusArtifactSweeperTests(CitusLayout layout) : ArtifactSweeperTests
{
    protected override Task<ThrowawayDatabase> CreateDatabaseAsync() => CitusDatabase.StartAsync(layout);
}
