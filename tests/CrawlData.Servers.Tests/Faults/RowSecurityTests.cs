using CrawlData.Crawls;
using CrawlData.Tests.Servers;
using Npgsql;

namespace CrawlData.Tests.Faults;

public sealed class RowSecurityTests
{
    [Test]
    public async Task A_large_append_is_stored_where_row_security_forbids_COPY([Values(1, 1_000, 2_500)] int count)
    {
        await using var server = await RestartableServer.StartAsync();
        await using (var prepare = server.DataSource.CreateCommand(
            """
            create role crawler login password 'crawler';
            grant select, insert, update on crawl_runs, crawl_events to crawler;
            grant usage on sequence crawl_events_id_seq to crawler;
            alter table crawl_events enable row level security;
            create policy all_events on crawl_events using (true) with check (true)
            """))
        {
            await prepare.ExecuteNonQueryAsync();
        }

        var crawl = (await new CrawlRunRepository(server.DataSource).InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" })).Id;
        await using var dataSource = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(server.ConnectionString) { Username = "crawler", Password = "crawler" });
        var events = new CrawlEventRepository(dataSource);

        var ids = await events.AppendAsync(crawl, Events(count));
        var streamed = await events.AppendStreamAsync(crawl, Events(count).ToAsyncEnumerable());

        Assert.That(streamed, Is.EqualTo(count));
        Assert.That(ids, Is.Ordered.And.Unique);
        Assert.That(await events.StreamAsync(crawl).Take(count).Select(crawlEvent => crawlEvent.Id).ToListAsync(), Is.EqualTo(ids));
        Assert.That(
            await events.StreamAsync(crawl).Take(count).Select(crawlEvent => crawlEvent.Payload.ToElement().GetProperty("number").GetInt32()).ToListAsync(),
            Is.EqualTo(Enumerable.Range(1, count)));
    }

    private static IEnumerable<NewCrawlEvent> Events(int count) =>
        Enumerable.Range(1, count).Select(number => new NewCrawlEvent { EventType = "step", Payload = Jsonb.From(new { number }) });
}
