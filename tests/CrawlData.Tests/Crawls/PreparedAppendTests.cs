using CrawlData.Crawls;
using Dapper;
using Npgsql;

namespace CrawlData.Tests.Crawls;

/// <summary>Appends prepare their statements on sessions that they can rely on.</summary>
public sealed class PreparedAppendTests : DatabaseTest
{
    private const string PreparedSql = "select statement from pg_prepared_statements order by statement";

    [Test]
    public async Task An_append_is_prepared_once_its_session_is_known()
    {
        await using var dataSource = OfOneSession();
        var events = new CrawlEventRepository(dataSource);
        var crawl = await CreateCrawlAsync();

        await events.AppendAsync(crawl, Event(1));
        Assert.That(await PreparedAsync(dataSource), Is.Empty);

        for (var number = 0; number < 10; number++)
        {
            await events.AppendAsync(crawl, Event(2));
            await events.AppendAsync(crawl, EventsOf(2));
        }

        Assert.That(
            await PreparedAsync(dataSource),
            Is.EquivalentTo([CrawlEventStatements.InsertOneSql, CrawlEventStatements.InsertSql, CrawlEventStatements.IdentitySql]));
    }

    /// <summary>An error would end the caller's transaction.</summary>
    [Test]
    public async Task In_the_caller_s_transaction_nothing_is_prepared_and_no_prepared_statement_is_used()
    {
        await using var dataSource = OfOneSession();
        var events = new CrawlEventRepository(dataSource);
        var crawl = await CreateCrawlAsync();
        await events.AppendAsync(crawl, Event(1));
        await events.AppendAsync(crawl, Event(2));
        await using (var connection = await dataSource.OpenConnectionAsync())
        {
            await connection.ExecuteAsync("deallocate all");
            await using var transaction = await connection.BeginTransactionAsync();
            await events.AppendAsync(crawl, Event(3), transaction);
            await events.AppendAsync(crawl, EventsOf(2), transaction);
            Assert.That(await connection.QueryAsync<string>(PreparedSql, transaction: transaction), Is.Empty);
            await transaction.CommitAsync();
        }

        Assert.That(await Events.CountAsync(crawl), Is.EqualTo(5));
    }

    /// <summary>Also without retries: a statement that is not there has stored nothing.</summary>
    [TestCase("discard all")]
    [TestCase("deallocate all")]
    [TestCase("deallocate all; prepare _p1 as select 1; prepare _p2 as select 1")]
    public async Task An_application_may_deallocate_all_statements_of_its_sessions(string sql)
    {
        await using var dataSource = OfOneSession();
        var events = new CrawlEventRepository(dataSource, retry: new RetryOptions { Limit = TimeSpan.Zero });
        var crawl = await CreateCrawlAsync();
        await events.AppendAsync(crawl, Event(1));
        await events.AppendAsync(crawl, Event(2));
        await using (var connection = await dataSource.OpenConnectionAsync())
        {
            await connection.ExecuteAsync(sql);
        }

        var ids = new[] { await events.AppendAsync(crawl, Event(3)), await events.AppendAsync(crawl, Event(4)) };

        Assert.That((await Events.ListAsync(crawl)).Items.Skip(2).Select(crawlEvent => crawlEvent.Id), Is.EqualTo(ids));
    }

    [TestCase("Multiplexing=true")]
    [TestCase("Max Auto Prepare=5")]
    public async Task Where_Npgsql_or_the_application_decides_otherwise_nothing_is_prepared(string setting)
    {
        await using var dataSource = NpgsqlDataSource.Create($"{Database.ConnectionString};{setting}");
        var events = new CrawlEventRepository(dataSource);
        var crawl = await CreateCrawlAsync();

        for (var number = 0; number < 3; number++)
        {
            await events.AppendAsync(crawl, Event(number));
        }

        Assert.That(await PreparedAsync(dataSource), Is.Empty);
        Assert.That(await Events.CountAsync(crawl), Is.EqualTo(3));
    }

    private NpgsqlDataSource OfOneSession() =>
        NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(Database.ConnectionString) { MaxPoolSize = 1 });

    private static async Task<IEnumerable<string>> PreparedAsync(NpgsqlDataSource dataSource)
    {
        await using var connection = await dataSource.OpenConnectionAsync();
        return await connection.QueryAsync<string>(PreparedSql);
    }
}
