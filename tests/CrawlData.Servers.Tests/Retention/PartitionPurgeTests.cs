using CrawlData.Crawls;
using CrawlData.Retention;
using CrawlData.Schema;
using CrawlData.Tests.Schema;
using Dapper;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CrawlData.Tests.Retention;

public sealed class PartitionPurgeTests : MigratorTest
{
    private const string Oldest = "crawl_events_0_to_10000";
    private const string Second = "crawl_events_10000_to_11000";

    private static readonly TimeSpan Year = TimeSpan.FromDays(365);
    private static readonly NewCrawlEvent Late = new() { EventType = "late", Payload = Jsonb.Parse("{}") };

    private RetentionPurger Purger => new(DataSource);

    private CrawlEventRepository Events => new(DataSource);

    [SetUp]
    public async Task PartitionAsync()
    {
        await new SchemaMigrator(DataSource).MigrateAsync();
        await new EventPartitioner(DataSource, new EventPartitionerOptions { Width = 1_000, Ahead = 3, Margin = 9_000 }).PartitionAsync();
        await ExecuteAsync("select setval('crawl_events_id_seq', 100)");
    }

    /// <summary>A crawl that has events in two partitions goes with the first of them. A crawl that lives keeps the other old ones of its partition.</summary>
    [Test]
    public async Task A_partition_is_dropped_when_each_of_its_crawls_is_old()
    {
        var (old, straddling) = (await OldCrawlAsync(5), await OldCrawlAsync(5));
        await CloseAsync(10_000);
        await AppendOldAsync(straddling, 5);
        var (kept, living) = (await OldCrawlAsync(5), await OldCrawlAsync(5, status: "RUNNING"));
        await CloseAsync(11_000);
        var open = await OldCrawlAsync(5);
        var empty = await OldCrawlAsync(0);
        await ExecuteAsync("analyze crawl_events");

        var dry = await Purger.PurgeCrawlsAsync(Year, dryRun: true);
        var total = await Purger.PurgeCrawlsAsync(Year);

        Assert.That(total, Is.EqualTo(new PurgeTotal { Deleted = 3, Rows = 15, Partitions = 1 }));
        Assert.That(dry, Is.EqualTo(new PurgeTotal { Deleted = 3, Rows = 10, Partitions = 1 }), "a dry run does not look for the rest of a crawl");
        Assert.That(await RunsAsync(), Is.EquivalentTo([kept, living, open]));
        Assert.That(await ExistsAsync(Oldest), Is.False);
        Assert.That(await ScalarAsync<long>("select count(*) from crawl_events"), Is.EqualTo(15));
        Assert.That((old, empty), Is.Not.EqualTo((kept, living)));

        await ExecuteAsync("update crawl_runs set status = 'FAILED'");
        Assert.That((await Purger.PurgeCrawlsAsync(Year)).Partitions, Is.EqualTo(1));
        Assert.That(await RunsAsync(), Is.EquivalentTo([open]), "events can still be appended to its partition");
        Assert.That(await new SchemaMigrator(DataSource).VerifySchemaAsync(), Is.Empty);
    }

    [Test]
    public async Task Crawls_are_archived_before_their_partition_is_dropped()
    {
        var (one, other) = (await OldCrawlAsync(2), await OldCrawlAsync(3));
        var empty = await OldCrawlAsync(0);
        await CloseAsync(10_000);
        var archived = new List<(Guid, long)>();

        await Purger.PurgeCrawlsAsync(Year, async (crawls, token) =>
        {
            foreach (var crawl in crawls)
            {
                archived.Add((crawl, await Events.CountAsync(crawl, cancellationToken: token)));
            }
        });

        Assert.That(archived, Is.EquivalentTo([(one, 2L), (other, 3L), (empty, 0L)]));
        Assert.That(await RunsAsync(), Is.Empty);
    }

    /// <summary>The transaction of the late event holds up the detachment, which then finds the event.</summary>
    [Test]
    public async Task A_crawl_that_gets_an_event_while_its_partition_is_detached_keeps_it()
    {
        var crawl = await OldCrawlAsync(5);
        await CloseAsync(10_000);
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        var waiting = new LogSignal("WaitingForLocks");

        var purging = new RetentionPurger(DataSource, LoggerOf(waiting)).PurgeCrawlsAsync(
            Year, (_, token) => Events.AppendAsync(crawl, Late, transaction, token));
        await waiting.Logged.WaitAsync(Wait.Longest);
        await transaction.CommitAsync();

        Assert.That(await purging, Is.EqualTo(new PurgeTotal()));
        Assert.That(await Events.CountAsync(crawl), Is.EqualTo(6));
        Assert.That(await new SchemaMigrator(DataSource).VerifySchemaAsync(), Is.Empty);
    }

    /// <summary>The event is committed after the crawls were found to be old, and before the table is dropped. It goes red without the look under the
    /// lock.</summary>
    [Test]
    public async Task A_crawl_that_gets_an_event_before_its_partition_is_dropped_keeps_it()
    {
        var crawl = await OldCrawlAsync(5);
        await CloseAsync(10_000);
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        var waiting = new LogSignal("WaitingForLocks");

        var purging = new RetentionPurger(DataSource, LoggerOf(waiting)).PurgeCrawlsAsync(
            Year, (_, _) => connection.ExecuteAsync("select from crawl_runs where id = @crawl for update", new { crawl }, transaction));
        await waiting.Logged.WaitAsync(Wait.Longest);
        Assert.That((await new EventPartitioner(DataSource).ListAsync()).Select(one => one.Table), Has.None.EqualTo(Oldest), "it is detached");
        await Events.AppendAsync(crawl, Late, transaction);
        await transaction.CommitAsync();

        Assert.That(await purging, Is.EqualTo(new PurgeTotal()));
        Assert.That(await Events.CountAsync(crawl), Is.EqualTo(6));
        Assert.That(await new SchemaMigrator(DataSource).VerifySchemaAsync(), Is.Empty);
    }

    /// <summary>A reader holds up the detachment. The event's id is drawn meanwhile, and it is committed when the partition is detached. It goes red when the
    /// purge takes an id that was drawn for that of an event that it sees.</summary>
    [Test]
    public async Task A_crawl_with_an_event_that_is_not_committed_keeps_its_partition()
    {
        var crawl = await OldCrawlAsync(5);
        await CloseAsync(10_000);
        await using var reader = await DataSource.OpenConnectionAsync();
        await using var reading = await reader.BeginTransactionAsync();
        await reader.ExecuteAsync("select from crawl_events limit 1", transaction: reading);
        await using var connection = await DataSource.OpenConnectionAsync();
        var waiting = new LogSignal("WaitingForLocks");

        var purging = new RetentionPurger(DataSource, LoggerOf(waiting)).PurgeCrawlsAsync(Year);
        await waiting.Logged.WaitAsync(Wait.Longest);
        await using var transaction = await connection.BeginTransactionAsync();
        await Events.AppendAsync(crawl, Late, transaction);

        // Until its next statement, the session keeps the snapshot of the last one, which would hold up the detachment.
        await connection.ExecuteAsync("set local lock_timeout = 0", transaction: transaction);
        await reading.CommitAsync();
        await Wait.UntilAsync(
            async () => (await new EventPartitioner(DataSource).ListAsync()).All(one => one.Table != Oldest) || purging.IsCompleted, "it is detached");
        await UntilWaitingForWritersAsync(connection, reader);
        await transaction.CommitAsync();

        Assert.That(await purging, Is.EqualTo(new PurgeTotal()));
        Assert.That(await Events.CountAsync(crawl), Is.EqualTo(6));
    }

    /// <summary>A killed purge leaves a partition that is being detached, or a detached table.</summary>
    [Test]
    public async Task The_next_purge_finishes_an_interrupted_one([Values] bool whileItWaits)
    {
        await OldCrawlAsync(5);
        await CloseAsync(10_000);
        await using var connection = await DataSource.OpenConnectionAsync();
        if (whileItWaits)
        {
            using var killing = new CancellationTokenSource();
            await using var transaction = await connection.BeginTransactionAsync();
            await connection.ExecuteAsync("select from crawl_events limit 1", transaction: transaction);
            var waiting = new LogSignal("WaitingForLocks");
            var purging = new RetentionPurger(DataSource, LoggerOf(waiting)).PurgeCrawlsAsync(Year, cancellationToken: killing.Token);
            await waiting.Logged.WaitAsync(Wait.Longest);
            await killing.CancelAsync();
            await Assert.ThatAsync(() => purging, Throws.InstanceOf<OperationCanceledException>());
            Assert.That((await new EventPartitioner(DataSource).ListAsync())[0].IsDetaching);
        }
        else
        {
            await connection.ExecuteAsync($"alter table crawl_events detach partition {Oldest} concurrently");
        }

        Assert.That((await Purger.PurgeCrawlsAsync(Year)).Partitions, Is.EqualTo(1));

        Assert.That((await ExistsAsync(Oldest), (await RunsAsync()).Count), Is.EqualTo((false, 0)));
    }

    [Test]
    public async Task A_crawl_of_a_detached_table_that_lives_gets_its_events_back()
    {
        var crawl = await OldCrawlAsync(5, status: "RUNNING");
        await CloseAsync(10_000);
        await ExecuteAsync($"alter table crawl_events detach partition {Oldest} concurrently");
        Assert.That(await Events.CountAsync(crawl), Is.Zero);

        await Purger.PurgeCrawlsAsync(Year);

        Assert.That(await Events.CountAsync(crawl), Is.EqualTo(5));
    }

    /// <summary>The detached table keeps its foreign key, so it can become a partition again.</summary>
    [Test]
    public async Task A_run_that_is_deleted_while_its_partition_is_detached_takes_its_events_with_it()
    {
        var (deleted, living) = (await OldCrawlAsync(5), await OldCrawlAsync(5, status: "RUNNING"));
        await CloseAsync(10_000);
        await ExecuteAsync($"alter table crawl_events detach partition {Oldest} concurrently");
        Assert.That(await new CrawlRunRepository(DataSource).DeleteAsync(deleted));

        await Purger.PurgeCrawlsAsync(Year);

        Assert.That((await Events.CountAsync(deleted), await Events.CountAsync(living)), Is.EqualTo((0, 5)));
        Assert.That(await new SchemaMigrator(DataSource).VerifySchemaAsync(), Is.Empty);
    }

    /// <summary>An event whose id was drawn before the partition was full, and that is not committed yet, belongs to a crawl that no other event shows. It goes
    /// red when the purge does not wait for the transactions that may have drawn an id.</summary>
    [Test]
    public async Task A_purge_waits_for_events_that_are_not_committed()
    {
        await OldCrawlAsync(5);
        var living = await OldCrawlAsync(0, status: "RUNNING");
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await Events.AppendAsync(living, Late, transaction);
        await CloseAsync(10_000);

        var purging = Purger.PurgeCrawlsAsync(Year);
        await UntilWaitingForWritersAsync(connection);
        await transaction.CommitAsync();

        Assert.That(await purging, Is.EqualTo(new PurgeTotal()));
        Assert.That(await Events.CountAsync(living), Is.EqualTo(1));
    }

    [Test]
    public async Task Purges_at_a_time_do_not_disturb_each_other()
    {
        for (var partition = 10_000; partition <= 12_000; partition += 1_000)
        {
            await OldCrawlAsync(3);
            await CloseAsync(partition);
        }

        var totals = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => Purger.PurgeCrawlsAsync(Year)));
        await Purger.PurgeCrawlsAsync(Year);

        Assert.That(totals.Sum(total => total.Partitions), Is.EqualTo(3));
        Assert.That((await RunsAsync(), await ExistsAsync(Second)), Is.EqualTo((Array.Empty<Guid>(), false)));
    }

    /// <summary>An append takes its run's lock. So none comes between the look and the drop.</summary>
    [Test]
    public async Task The_last_look_is_under_the_lock_of_all_runs()
    {
        await ExecuteAsync($"alter table crawl_events detach partition {Oldest} concurrently");
        var partitioner = new EventPartitioner(DataSource);
        var mode = "";

        var isDropped = await partitioner.TryDropAsync(
            (await partitioner.ListDetachedAsync(default)).Single(),
            async transaction =>
            {
                mode = await transaction.Connection!.ExecuteScalarAsync<string>(
                    "select mode from pg_locks where relation = 'crawl_runs'::regclass and pid = pg_backend_pid() and granted", transaction: transaction);
                return false;
            },
            default);

        Assert.That((isDropped, mode, await ExistsAsync(Oldest)), Is.EqualTo((false, "AccessExclusiveLock", true)));
    }

    [Test]
    public async Task A_purge_leaves_the_partitions_to_another_purge()
    {
        await OldCrawlAsync(5);
        await CloseAsync(10_000);
        var empty = await OldCrawlAsync(0);
        await using var other = await DataSource.OpenConnectionAsync();
        Assert.That(await other.ExecuteScalarAsync<bool>(EventPartitioner.TryLockSql));

        var total = await Purger.PurgeCrawlsAsync(Year);

        Assert.That(total, Is.EqualTo(new PurgeTotal { Deleted = 1 }), "runs without events have no partition");
        Assert.That(await RunsAsync(), Has.Exactly(1).Items.And.None.EqualTo(empty));
    }

    // The purge asks again and again, over one of its own connections.
    private Task UntilWaitingForWritersAsync(params NpgsqlConnection[] others) => Wait.UntilAsync(
        DataSource,
        $"""
        select exists (
            select from pg_stat_activity
            where datname = current_database() and pid not in (pg_backend_pid(), {string.Join(", ", others.Select(one => one.ProcessID))})
              and query like '%virtualtransaction%')
        """);

    private static Logger<RetentionPurger> LoggerOf(LogSignal signal) => new(new OneLoggerFactory(signal));

    private Task CloseAsync(long toId) => ExecuteAsync($"select setval('crawl_events_id_seq', {toId - 1})");

    private async Task<Guid> OldCrawlAsync(int events, string status = "COMPLETED")
    {
        var crawl = await ScalarAsync<Guid>(
            $"""
            insert into crawl_runs (app_package, status, created_at, completed_at) values ('org.example.app', '{status}', '2020-01-01', '2020-01-02')
            returning id
            """);
        await AppendOldAsync(crawl, events);
        return crawl;
    }

    private async Task AppendOldAsync(Guid crawl, int events) => await Events.AppendAsync(
        crawl, Enumerable.Repeat(Late with { CreatedAt = new DateTimeOffset(2020, 1, 2, 0, 0, 0, TimeSpan.Zero) }, events));

    private async Task<IReadOnlyList<Guid>> RunsAsync()
    {
        await using var connection = await DataSource.OpenConnectionAsync();
        return [.. await connection.QueryAsync<Guid>("select id from crawl_runs")];
    }
}
