using CrawlData.Crawls;
using CrawlData.Schema;
using CrawlData.Tests.Servers;
using Dapper;
using Npgsql;

namespace CrawlData.Tests.Schema;

/// <summary>A subscriber of logical replication, with a table that is not partitioned, while the publisher's is partitioned.</summary>
[Parallelizable(ParallelScope.Self)]
public sealed class PartitionSubscriberTests
{
    private static readonly NewCrawlEvent Event = new() { EventType = "step", Payload = Jsonb.Parse("{}") };

    /// <summary>Both databases are on one server, so the subscription cannot make its slot itself.</summary>
    [Test]
    public async Task A_subscriber_gets_all_events_although_the_table_is_partitioned_and_a_partition_is_filled()
    {
        await using var server = await RestartableServer.StartAsync();
        await server.SetAsync(("wal_level", "logical"));
        await server.RestartAsync("fast");
        server.DataSource.Clear();
        var published = server.DataSource;
        await ExecuteAsync(published, "create database subscriber");
        var connectionString = new NpgsqlConnectionStringBuilder(server.ConnectionString) { Database = "subscriber" };
        await using var subscribed = NpgsqlDataSource.Create(connectionString);
        await new SchemaMigrator(subscribed).MigrateAsync();
        await ExecuteAsync(published, "create publication events for table crawl_runs, crawl_events");
        await ExecuteAsync(published, "select pg_create_logical_replication_slot('events', 'pgoutput')");
        var publisher = new NpgsqlConnectionStringBuilder(server.ConnectionString);
        await ExecuteAsync(
            subscribed,
            $"""
            create subscription events
            connection 'host={publisher.Host} port={publisher.Port} user={publisher.Username} password={publisher.Password} dbname={publisher.Database}'
            publication events with (create_slot = false, slot_name = 'events', copy_data = false)
            """);
        var crawl = (await new CrawlRunRepository(published).InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" })).Id;
        var (events, partitioner) = (
            new CrawlEventRepository(published), new EventPartitioner(published, new EventPartitionerOptions { Width = 1_000, Ahead = 2, Margin = 10_000 }));
        var ids = (await events.AppendAsync(crawl, Enumerable.Repeat(Event, 10))).ToList();

        await partitioner.PartitionAsync();
        ids.AddRange(await events.AppendAsync(crawl, Enumerable.Repeat(Event, 1_500)));

        await Wait.UntilAsync(subscribed, $"select count(*) >= {ids.Count} from crawl_events");
        Assert.That(await new CrawlEventRepository(subscribed).StreamAsync(crawl).Select(one => one.Id).ToListAsync(), Is.EqualTo(ids));
        Assert.That((await partitioner.ListAsync())[1].ToId, Is.LessThan(ids[^1]), "the events are in several partitions");
        await ExecuteAsync(subscribed, "alter subscription events disable; alter subscription events set (slot_name = none); drop subscription events");
    }

    private static async Task ExecuteAsync(NpgsqlDataSource dataSource, string sql)
    {
        await using var connection = await dataSource.OpenConnectionAsync();
        await connection.ExecuteAsync(sql);
    }
}
