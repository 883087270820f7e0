using CrawlData.Testing;

namespace CrawlData.Tests.Crawls;

/// <inheritdoc/>
public sealed class DistributedCrawlEventWriterTests : CrawlEventWriterTests
{
    protected override Task<ThrowawayDatabase> CreateDatabaseAsync() => PretendedCitus.StartAsync(byCrawl: true);
}
