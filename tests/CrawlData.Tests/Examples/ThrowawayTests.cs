// snippet: throwaway
using CrawlData.Crawls;
using CrawlData.Testing;
// end snippet

namespace Examples;

public sealed class ThrowawayTests
{
    [Test]
    public async Task A_throwaway_database_is_migrated_and_empty()
    {
        // snippet: throwaway
        await using var database = await ThrowawayDatabase.StartAsync();
        var runs = new CrawlRunRepository(database.DataSource);
        // end snippet

        Assert.That((await runs.ListAsync()).Items, Is.Empty);
    }
}
