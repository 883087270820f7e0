using CrawlData.Citus.Tests.Clusters;
using CrawlData.Crawls;
using CrawlData.Diagnostics;
using CrawlData.Schema;
using CrawlData.Tests.Cli;
using Npgsql;

namespace CrawlData.Citus.Tests.Schema;

/// <summary><c>crawldata distribute</c>, and what verify, doctor and status say afterwards.</summary>
public sealed class CrawlDistributorTests
{
    [Test]
    public async Task Tables_with_rows_are_distributed_and_keep_their_rows()
    {
        await using var database = await CitusDatabase.StartAsync(CitusLayout.Local);
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
        await using var database = await CitusDatabase.StartAsync(CitusLayout.Local);

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
    public async Task Appends_through_a_worker_are_found([Values(CitusLayout.TenantSchema, CitusLayout.DistributedCrawls)] CitusLayout layout)
    {
        await using var database = await CitusDatabase.StartAsync(layout);
        var cluster = await CitusCluster.FindAsync();
        var settings = new NpgsqlConnectionStringBuilder(database.ConnectionString);
        (settings.Host, settings.Port) = (cluster.Workers[0].Host, cluster.Workers[0].Port);
        await using var worker = NpgsqlDataSource.Create(settings);
        Assert.That(await FindAsync(database.DataSource), Is.Empty);

        await InsertAsync(worker, events: 1);

        Assert.That(await FindAsync(database.DataSource), Has.Some.Contains("at id 281474976710657"));
        Assert.That(await FindAsync(worker), Has.Some.StartsWith("this server is a worker of a Citus cluster."));
        Assert.That(
            (await new SchemaMigrator(database.DataSource).VerifySchemaAsync()).Select(difference => difference.Element),
            Does.Contain("table crawl_events"));
    }

    [Test]
    public async Task A_node_without_a_maintenance_daemon_is_found()
    {
        await using var database = await CitusDatabase.StartAsync(CitusLayout.DistributedCrawls);
        var worker = (await CitusCluster.FindAsync()).Workers[1];
        var subject = $"node {worker.Host}:{worker.Port}";
        Assert.That(await FindAllAsync(database.DataSource), Is.Empty);

        await worker.QueryAsync<bool>(
            await CitusCluster.FindAsync(),
            new NpgsqlConnectionStringBuilder(database.ConnectionString).Database!,
            """
            select pg_terminate_backend(pid, 60000) from pg_stat_activity
            where datname = current_database() and application_name = 'Citus Maintenance Daemon'
            """);

        Assert.That(await FindAllAsync(database.DataSource), Is.EqualTo(new[] { subject }));
        Assert.That(
            (await new SchemaMigrator(database.DataSource).VerifySchemaAsync()).Select(difference => difference.Element), Is.EqualTo(new[] { subject }));
    }

    [Test]
    public async Task Sizes_are_those_of_the_shards([Values(CitusLayout.TenantSchema, CitusLayout.DistributedCrawls)] CitusLayout layout)
    {
        await using var database = await CitusDatabase.StartAsync(layout);
        await InsertAsync(database.DataSource, events: 20_000);
        await QueryAsync<object?>(database.DataSource, "analyze crawl_events");

        var events = (await new DatabaseStatusReader(database.DataSource).ReadAsync()).Tables.Single(table => table.Table == "crawl_events");

        Assert.That(events.EstimatedRows, Is.EqualTo(20_000));
        Assert.That(events.IndexBytes, Is.GreaterThan(500_000));
        Assert.That(events.SizeBytes, Is.GreaterThan(events.IndexBytes + 1_000_000));
    }

    private static async Task<List<string>> FindAsync(NpgsqlDataSource dataSource) =>
        [.. (await new DatabaseDoctor(dataSource).CheckAsync()).Where(finding => finding.Check == "citus").Select(finding => $"{finding}")];

    private static async Task<List<string>> FindAllAsync(NpgsqlDataSource dataSource) =>
        [.. (await new DatabaseDoctor(dataSource).CheckAllAsync()).Where(finding => finding.Check == "citus").Select(finding => finding.Subject)];

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
