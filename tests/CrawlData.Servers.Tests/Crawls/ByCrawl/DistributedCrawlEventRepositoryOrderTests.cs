using CrawlData.Testing;

namespace CrawlData.Tests.Crawls;

/// <inheritdoc/>
public sealed class DistributedCrawlEventRepositoryOrderTests : CrawlEventRepositoryOrderTests
{
    protected override Task<ThrowawayDatabase> CreateDatabaseAsync() => PretendedCitus.StartAsync(byCrawl: true);
}
