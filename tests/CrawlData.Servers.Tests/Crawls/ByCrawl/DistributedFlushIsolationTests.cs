using CrawlData.Testing;

namespace CrawlData.Tests.Crawls;

/// <inheritdoc/>
public sealed class DistributedFlushIsolationTests : FlushIsolationTests
{
    protected override Task<ThrowawayDatabase> CreateDatabaseAsync() => PretendedCitus.StartAsync(byCrawl: true);
}
