using CrawlData.Testing;

namespace CrawlData.Tests.Crawls;

/// <inheritdoc/>
public sealed class DistributedCrawlRunRepositoryTests : CrawlRunRepositoryTests
{
    protected override Task<ThrowawayDatabase> CreateDatabaseAsync() => PretendedCitus.StartAsync(byCrawl: true);
}
