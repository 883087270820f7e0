using CrawlData.Citus.Tests.Clusters;
using CrawlData.Diagnostics;
using CrawlData.Schema;
using CrawlData.Tests;
using Npgsql;

namespace CrawlData.Citus.Tests.Schema;

/// <summary>What verify, doctor and status say of a cluster.</summary>
public sealed class CitusPlacementTests
{
    [Test]
    public async Task Appends_through_a_worker_are_found([Values] CitusLayout layout)
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

    /// <summary>The node starts the daemon again, so it is ended before each look, until one finds none.</summary>
    [Test]
    public async Task A_node_without_a_maintenance_daemon_is_found()
    {
        await using var database = await CitusDatabase.StartAsync(CitusLayout.TenantSchema);
        var cluster = await CitusCluster.FindAsync();
        var (worker, name) = (cluster.Workers[1], new NpgsqlConnectionStringBuilder(database.ConnectionString).Database!);
        var subject = $"node {worker.Host}:{worker.Port}";
        Assert.That(await FindAllAsync(database.DataSource), Is.Empty);

        await Wait.UntilAsync(() => IsFoundAsync(() => FindAllAsync(database.DataSource)), "doctor reports the node");
        await Wait.UntilAsync(
            () => IsFoundAsync(async () =>
                [.. (await new SchemaMigrator(database.DataSource).VerifySchemaAsync()).Select(difference => difference.Element)]),
            "verify reports the node");

        async Task<bool> IsFoundAsync(Func<Task<List<string>>> findAsync)
        {
            await worker.QueryAsync<bool>(
                cluster,
                name,
                """
                select pg_terminate_backend(pid, 60000) from pg_stat_activity
                where datname = current_database() and application_name = 'Citus Maintenance Daemon'
                """);
            return (await findAsync()).SequenceEqual([subject]);
        }
    }

    [Test]
    public async Task Sizes_are_those_of_the_shards([Values] CitusLayout layout)
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
