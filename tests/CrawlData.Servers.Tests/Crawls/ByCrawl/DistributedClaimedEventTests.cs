using CrawlData.Testing;

namespace CrawlData.Tests.Crawls;

/// <inheritdoc/>
public sealed class DistributedClaimedEventTests : ClaimedEventTests
{
    protected override Task<ThrowawayDatabase> CreateDatabaseAsync() => PretendedCitus.StartAsync(byCrawl: true);
}
