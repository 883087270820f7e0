using CrawlData.Tests;

namespace CrawlData.Pooling.Tests;

public sealed class PgBouncerTests : DatabaseTest
{
    /// <summary>The schema was migrated over a direct connection.</summary>
    [Test]
    public async Task The_end_to_end_scenario_works_through_a_pooler_in_transaction_mode()
    {
        await using var pooler = await PgBouncer.StartAsync(Database.ConnectionString);

        await EndToEndScenario.RunAsync(pooler.ConnectionString);
    }
}
