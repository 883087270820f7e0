using CrawlData.Retention;
using CrawlData.Schema;
using CrawlData.Tests.Servers;
using Dapper;

namespace CrawlData.Tests.Schema;

/// <summary>An autovacuum holds a lock that partitioning needs, and a large table keeps it for hours.</summary>
public sealed class PartitionedAutovacuumTests
{
    // It would read 2,000 pages, at 100 ms or more a page.
    private const string SlowAutovacuumSql =
        """
        alter table crawl_events set (
            autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1);
        with run as (
            insert into crawl_runs (app_package, status, created_at, completed_at)
            values ('org.example.app', 'COMPLETED', '2020-01-01', '2020-01-02')
            returning id
        )
        insert into crawl_events (crawl_id, event_type, payload, created_at)
        select id, 'step', jsonb_build_object('text', repeat('x', 300)), '2020-01-02'
        from run cross join generate_series(1, 40000);
        delete from crawl_events where id % 2 = 0;
        """;

    /// <summary>Goes red when no lock is waited for beyond <c>deadlock_timeout</c>, and when a new partition's lock is taken on all partitions.</summary>
    [Test]
    public async Task An_autovacuum_holds_nothing_up()
    {
        await using var server = await RestartableServer.StartAsync();
        using var longest = new CancellationTokenSource(Wait.Longest * 2);
        await server.SetAsync(("autovacuum_naptime", "1s"));
        await using (var connection = await server.DataSource.OpenConnectionAsync())
        {
            await connection.ExecuteAsync(SlowAutovacuumSql);
        }

        var partitioner = new EventPartitioner(server.DataSource, new EventPartitionerOptions { Width = 1_000, Margin = 100_000 })
        {
            BeforeStep = step => step == "analyze the table" ? Task.CompletedTask : VacuumRunsAsync("crawl_events"),
        };
        var old = (await partitioner.PartitionAsync(longest.Token))[0];
        await VacuumRunsAsync(old.Table);
        var more = new EventPartitionerOptions { Ahead = EventPartitionerOptions.DefaultAhead + 1 };
        Assert.That(await new EventPartitioner(server.DataSource, more).MakeAheadAsync(longest.Token), Has.Count.EqualTo(1));
        await VacuumRunsAsync(old.Table);

        var purged = await new RetentionPurger(server.DataSource).PurgeCrawlsAsync(TimeSpan.FromDays(365), cancellationToken: longest.Token);

        Assert.That(purged.Partitions, Is.EqualTo(1));

        Task VacuumRunsAsync(string table) => Wait.UntilAsync(
            server.DataSource, $"select exists (select from pg_stat_progress_vacuum where relid = to_regclass('{table}'))");
    }
}
