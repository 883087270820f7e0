using CrawlData.Crawls;
using CrawlData.Tests;
using CrawlData.Tests.Servers;

namespace CrawlData.Pooling.Tests;

/// <summary>Followers behind a router that sends each statement to the primary or to a standby that lags.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class PgPoolTests
{

    private ReplicatedServers servers = null!;
    private PgPool pool = null!;
    private CrawlRunRepository runs = null!;
    private CrawlEventRepository events = null!;
    private CrawlEventRepository routed = null!;

    [SetUp]
    public async Task StartAsync()
    {
        servers = await ReplicatedServers.StartAsync(synchronous: false);
        pool = await PgPool.StartAsync(servers);
        runs = new CrawlRunRepository(servers.Primary.DataSource);
        events = new CrawlEventRepository(servers.Primary.DataSource);
        routed = new CrawlEventRepository(pool.DataSource);
    }

    [TearDown]
    public async Task StopAsync()
    {
        await pool.DisposeAsync();
        await servers.DisposeAsync();
    }

    /// <summary>The standby has an event of the second transaction to end, and not the event with a lower id that the first one committed after it.</summary>
    [Test]
    public async Task A_reader_of_all_crawls_misses_no_event([Values] bool follow)
    {
        var (late, early) = (await CreateCrawlAsync(), await CreateCrawlAsync());
        var cursor = (await routed.ListAllAsync()).Cursor;
        long[] ids;
        await using (var connection = await servers.Primary.DataSource.OpenConnectionAsync())
        {
            await using var transaction = await connection.BeginTransactionAsync();
            var first = await events.AppendAsync(late, Step, transaction);
            ids = [first, await events.AppendAsync(early, Step)];
            await StopReplayAsync($"select exists (select from crawl_events where id = {ids[1]})");
            await transaction.CommitAsync();
        }

        await AssertStandbyAnswersReadsAsync(expected: 1);
        var read = follow
            ? await routed.FollowAllAsync(cursor).SelectMany(batch => batch.Events).Take(2).ToListAsync().AsTask().WaitAsync(Wait.Longest)
            : (await routed.ListAllAsync(cursor)).Events;
        Assert.That(read.Select(one => one.Id), Is.EqualTo(ids));
    }

    [Test]
    public async Task A_follower_of_a_run_that_has_ended_gets_its_last_events()
    {
        var crawl = await CreateCrawlAsync();
        await StopReplayAsync($"select exists (select from crawl_runs where id = '{crawl}')");
        var id = await events.AppendAsync(crawl, Step);
        (await runs.CompleteAsync(crawl)).EnsureApplied();

        await AssertStandbyAnswersReadsAsync(expected: 0);
        var read = await routed.FollowAsync(crawl).ToListAsync().AsTask().WaitAsync(Wait.Longest);
        Assert.That(read.Select(one => one.Id), Is.EqualTo(new[] { id }));
    }

    private static NewCrawlEvent Step => new() { EventType = "step", Payload = Jsonb.Parse("{}") };

    private async Task<Guid> CreateCrawlAsync() =>
        (await runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app", Status = CrawlStatus.Running })).Id;

    /// <summary>Waits until the standby has replayed what a query says, and stops its replay there.</summary>
    private async Task StopReplayAsync(string query)
    {
        await Wait.UntilAsync(servers.Standby, query);
        await using var pause = servers.Standby.CreateCommand("select pg_wal_replay_pause()");
        await pause.ExecuteNonQueryAsync();
        await Wait.UntilAsync(servers.Standby, "select pg_get_wal_replay_pause_state() = 'paused'");
    }

    private async Task AssertStandbyAnswersReadsAsync(long expected)
    {
        await using var count = pool.DataSource.CreateCommand("select count(*) from crawl_events");
        Assert.That(await count.ExecuteScalarAsync(), Is.EqualTo(expected), "the pool's plain reads go to the standby");
    }
}
