using CrawlData.Citus.Tests.Clusters;
using CrawlData.Testing;
using CrawlData.Tests.Audits;

namespace CrawlData.Citus.Tests.Audits.Artifacts;

/// <inheritdoc/>
[TestFixture(CitusLayout.TenantSchema)]
public sealed class CitusArtifactRepositoryTests(CitusLayout layout) : ArtifactRepositoryTests
{
    protected override Task<ThrowawayDatabase> CreateDatabaseAsync() => CitusDatabase.StartAsync(layout);
}
