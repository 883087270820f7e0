using CrawlData.Tests.Faults;
using Npgsql;

namespace CrawlData.Pooling.Tests;

[Category("Faults")]
public sealed class PgBouncerFaultTests : StreamFaultTest
{
    [Test]
    public async Task A_pooler_in_transaction_mode_stands_between([Values(1, 100)] int crawls)
    {
        await using var pooler = await PgBouncer.StartAsync(Database.ConnectionString);
        await using var dataSource = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(pooler.ConnectionString) { MaxPoolSize = PoolSize });
        await RunAsync(
            new Load(dataSource, DataSource, crawls),
            ended => TerminateRepeatedlyAsync("application_name like 'pooled%'", connections: 1, TimeSpan.FromMilliseconds(50), ended));
    }
}
