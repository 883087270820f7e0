using CrawlData.Citus.Tests.Clusters;
using CrawlData.Tests;

namespace CrawlData.Citus.Tests;

/// <summary>Calls each part of the library, with the assertions of plain PostgreSQL.</summary>
public sealed class EndToEndTests
{
    [Test]
    public async Task All_calls_have_the_same_results([Values] CitusLayout layout)
    {
        await using var database = await CitusDatabase.StartAsync(layout);

        await EndToEndScenario.RunAsync(database.ConnectionString);
    }
}
