using CrawlData.Crawls;
using CrawlData.Tests;
using Npgsql;

namespace CrawlData.Pooling.Tests;

public sealed class PooledAppendTests : DatabaseTest
{
    /// <summary>A statement that one client prepares is another client's to trip over. This pooler knows nothing of prepared statements.</summary>
    [Test]
    public async Task Appends_through_a_pooler_in_transaction_mode_prepare_nothing()
    {
        await using var pooler = await PgBouncer.StartAsync(Database.ConnectionString);
        await using var dataSource = NpgsqlDataSource.Create(pooler.ConnectionString);
        var events = new CrawlEventRepository(dataSource);
        var crawl = await CreateCrawlAsync();

        for (var round = 0; round < 10; round++)
        {
            await Task.WhenAll(Enumerable.Range(0, 4).Select(number => events.AppendAsync(crawl, Event(number))));
        }

        Assert.That(await Events.CountAsync(crawl), Is.EqualTo(40));
        Assert.That(await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => CountPreparedAsync(dataSource))), Is.All.Zero);
    }

    private static async Task<long> CountPreparedAsync(NpgsqlDataSource dataSource)
    {
        await using var command = dataSource.CreateCommand("select count(*) from pg_prepared_statements, pg_sleep(0.05)");
        return (long)(await command.ExecuteScalarAsync())!;
    }
}
