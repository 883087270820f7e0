using CrawlData.Citus.Tests.Clusters;
using CrawlData.Crawls;
using CrawlData.Retention;
using CrawlData.Schema;
using CrawlData.Tests;
using CrawlData.Tests.Cli;
using Npgsql;

namespace CrawlData.Citus.Tests.Schema;

/// <summary><c>crawldata distribute</c>.</summary>
public sealed class CrawlDistributorTests
{
    [Test]
    public async Task Tables_with_rows_are_distributed_and_keep_their_rows()
    {
        await using var database = await CitusDatabase.StartAsync(null);
        var crawls = new List<Guid>();
        foreach (var _ in Enumerable.Range(0, 5))
        {
            crawls.Add(await InsertAsync(database.DataSource, events: 40));
        }

        Assert.That(await new CrawlDistributor(database.DataSource).DistributeAsync(shardCount: 4), Is.True);

        var events = new CrawlEventRepository(database.DataSource);
        foreach (var crawl in crawls)
        {
            Assert.That(await events.StreamAsync(crawl).CountAsync(), Is.EqualTo(40));
        }

        Assert.That(
            await QueryAsync<long>(database.DataSource, "select count(*) from pg_dist_shard where logicalrelid = 'crawl_events'::regclass"), Is.EqualTo(4));
        Assert.That(
            await QueryAsync<long>(database.DataSource, "select pg_total_relation_size('crawl_events') - pg_indexes_size('crawl_events')"),
            Is.LessThan(65_536),
            "the coordinator keeps no copy");
        Assert.That(await new SchemaMigrator(database.DataSource).VerifySchemaAsync(), Is.Empty);
        Assert.That(await new CrawlDistributor(database.DataSource).DistributeAsync(), Is.False, "it is done once");
    }

    [Test]
    public async Task The_tool_shows_its_SQL_and_asks()
    {
        await using var database = await CitusDatabase.StartAsync(null);

        var shown = await Tool.RunAsync(database.ConnectionString, "distribute", "--shards", "2", "--dry-run");
        var unasked = await Tool.RunAsync(database.ConnectionString, "distribute");
        Assert.That(await QueryAsync<long>(database.DataSource, "select count(*) from pg_dist_partition"), Is.Zero);
        var done = await Tool.RunAsync(database.ConnectionString, "distribute", "--shards", "2", "--yes");
        var again = await Tool.RunAsync(database.ConnectionString, "distribute", "--yes");
        var verified = await Tool.RunAsync(database.ConnectionString, "verify");

        Assert.That((shown.ExitCode, shown.Error), Is.EqualTo((0, "")));
        Assert.That(shown.Output, Does.Contain("shard_count => 2").And.EndsWith("commit;\n"));
        Assert.That((unasked.ExitCode, unasked.Error.TrimEnd()), Is.EqualTo((2, "crawldata: nothing was changed: agree with --yes.")));
        Assert.That((done.ExitCode, done.Error), Is.EqualTo((0, "")));
        Assert.That(await QueryAsync<long>(database.DataSource, "select count(distinct shardid) from pg_dist_shard"), Is.EqualTo(6));
        Assert.That((again.ExitCode, again.Output.TrimEnd()), Is.EqualTo((0, "The crawls are distributed already.")));
        Assert.That((verified.ExitCode, verified.Output), Is.EqualTo((0, "")));
    }

    [Test]
    public async Task Where_it_cannot_distribute_it_says_why([Values] bool worker)
    {
        await using var database = await CitusDatabase.StartAsync(worker ? CitusLayout.DistributedCrawls : CitusLayout.TenantSchema);
        var cluster = await CitusCluster.FindAsync();
        var name = new NpgsqlConnectionStringBuilder(database.ConnectionString).Database!;
        await using var dataSource = worker
            ? NpgsqlDataSource.Create(cluster.Workers[0].ConnectionStringTo(cluster, name))
            : NpgsqlDataSource.Create(database.ConnectionString);

        var refused = await Assert.ThrowsAsync<MigrationException>(() => new CrawlDistributor(dataSource).DistributeAsync());

        Assert.That(refused!.Message, Does.Contain(worker ? "Connect to the coordinator" : "schema-based sharding"));
    }

    [Test]
    public async Task Partitions_and_distributions_exclude_each_other([Values] CitusLayout layout)
    {
        await using var distributed = await CitusDatabase.StartAsync(layout);
        await using var partitioned = await CitusDatabase.StartAsync(null);
        await new EventPartitioner(partitioned.DataSource).PartitionAsync();

        await Assert.ThrowsAsync<PartitioningRefusedException>(() => new EventPartitioner(distributed.DataSource).PartitionAsync());
        Assert.That(await new SchemaMigrator(distributed.DataSource).VerifySchemaAsync(), Is.Empty, "nothing was changed");
        var refused = await Assert.ThrowsAsync<MigrationException>(() => new CrawlDistributor(partitioned.DataSource).DistributeAsync());
        Assert.That(refused!.Message, Does.StartWith("crawl_events is partitioned"));
    }

    [Test]
    public async Task A_dropped_index_on_the_ids_is_found()
    {
        await using var database = await CitusDatabase.StartAsync(CitusLayout.DistributedCrawls);
        await QueryAsync<object?>(database.DataSource, "drop index idx_crawl_events_id");

        var differences = await new SchemaMigrator(database.DataSource).VerifySchemaAsync();

        Assert.That(
            differences.Select(difference => (difference.Kind, difference.Element)),
            Is.EqualTo(new[] { (SchemaDifferenceKind.Missing, "index idx_crawl_events_id") }));
    }

    /// <summary>The crawls share their shards, which Citus would lock for a statement that inserts into several of them.</summary>
    [Test]
    public async Task An_append_to_several_crawls_does_not_wait_for_one_to_others()
    {
        await using var database = await CitusDatabase.StartAsync(null);
        await new CrawlDistributor(database.DataSource).DistributeAsync(shardCount: 2);
        var events = new CrawlEventRepository(database.DataSource);
        var crawls = (await new CrawlRunRepository(database.DataSource).InsertAsync(Enumerable.Repeat(new NewCrawlRun { AppPackage = "org.example.app" }, 16)))
            .Select(run => (run.Id, new NewCrawlEvent { EventType = "step", Payload = Jsonb.Parse("{}") })).ToList();
        await using var connection = await database.DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await events.AppendAsync(crawls[..8], transaction);

        var others = await events.AppendAsync(crawls[8..]).WaitAsync(Wait.Longest);

        Assert.That(others, Has.Count.EqualTo(8));
        await transaction.CommitAsync();
    }

    /// <summary>The application has asked its data source before, and goes on.</summary>
    [Test]
    public async Task Appends_go_on_while_the_crawls_are_distributed()
    {
        await using var database = await CitusDatabase.StartAsync(null);
        await using var application = NpgsqlDataSource.Create(database.ConnectionString);
        var events = new CrawlEventRepository(application);
        var crawls = (await new CrawlRunRepository(application).InsertAsync(Enumerable.Repeat(new NewCrawlRun { AppPackage = "org.example.app" }, 4)))
            .Select(run => run.Id).ToList();
        using var enough = new CancellationTokenSource();
        var acknowledged = new List<long>();
        var appended = new SemaphoreSlim(0);
        var appending = Task.Run(async () =>
        {
            while (!enough.IsCancellationRequested)
            {
                acknowledged.AddRange(await events.AppendAsync(
                    crawls.ConvertAll(crawl => (crawl, new NewCrawlEvent { EventType = "step", Payload = Jsonb.Parse("{}") }))));
                acknowledged.Add(await events.AppendAsync(crawls[0], new NewCrawlEvent { EventType = "step", Payload = Jsonb.Parse("{}") }));
                appended.Release();
            }
        });

        await WaitForAsync(10);
        await new CrawlDistributor(database.DataSource).DistributeAsync(shardCount: 4);
        await WaitForAsync(appended.CurrentCount + 10);
        await enough.CancelAsync();
        await appending;

        var stored = new List<long>();
        foreach (var crawl in crawls)
        {
            stored.AddRange(await events.StreamAsync(crawl).Select(one => one.Id).ToListAsync());
        }

        Assert.That(stored, Is.EquivalentTo(acknowledged));

        async Task WaitForAsync(int appends)
        {
            for (var number = 0; number < appends; number++)
            {
                Assert.That(await appended.WaitAsync(Wait.Longest), "an append");
            }
        }
    }

    /// <summary>The coordinator's row of a retry has no foreign key.</summary>
    [Test]
    public async Task A_deleted_retry_can_be_made_again([Values] bool purged)
    {
        await using var database = await CitusDatabase.StartAsync(CitusLayout.DistributedCrawls);
        var (runs, queue) = (new CrawlRunRepository(database.DataSource), new CrawlRunQueue(database.DataSource));
        var run = await runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app", Status = CrawlStatus.Failed });
        var retry = (await queue.RetryAsync(run.Id)).EnsureApplied();
        await runs.CancelAsync(retry.RunId);

        if (purged)
        {
            await QueryAsync<object?>(
                database.DataSource, $"update crawl_runs set created_at = '2026-01-01', cancelled_at = '2026-01-01' where id = '{retry.RunId}'");
            Assert.That((await new RetentionPurger(database.DataSource).PurgeCrawlsAsync(TimeSpan.FromDays(1))).Deleted, Is.EqualTo(1));
        }
        else
        {
            Assert.That(await runs.DeleteAsync(retry.RunId), Is.True);
        }

        Assert.That((await queue.GetAttemptAsync(run.Id))!.RetriedBy, Is.Null);
        Assert.That((await queue.RetryAsync(run.Id)).Outcome, Is.EqualTo(TransitionOutcome.Applied));
    }

    private static async Task<Guid> InsertAsync(NpgsqlDataSource dataSource, int events)
    {
        var crawl = Guid.CreateVersion7();
        await QueryAsync<object?>(dataSource, $"insert into crawl_runs (id, app_package) values ('{crawl}', 'org.example.app')");
        await QueryAsync<object?>(
            dataSource,
            $"insert into crawl_events (crawl_id, event_type, payload) select '{crawl}', 'step', '{{}}' from generate_series(1, {events})");
        return crawl;
    }

    private static async Task<T?> QueryAsync<T>(NpgsqlDataSource dataSource, string sql)
    {
        await using var command = dataSource.CreateCommand(sql);
        return (T?)await command.ExecuteScalarAsync();
    }
}
