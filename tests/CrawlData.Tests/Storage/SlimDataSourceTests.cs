using CrawlData.Tests.Schema;
using Npgsql;

namespace CrawlData.Tests;

/// <summary>A slim data source converts no value to a parameter's type.</summary>
public sealed class SlimDataSourceTests : MigratorTest
{
    [Test]
    public async Task The_end_to_end_scenario_works_on_a_slim_data_source()
    {
        var builder = new NpgsqlSlimDataSourceBuilder(Database.ConnectionString);
        builder.EnableArrays();
        await using var dataSource = builder.Build();

        await EndToEndScenario.RunAsync(dataSource, migrate: true);
    }
}
