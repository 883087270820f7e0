using System.Globalization;
using CrawlData.Testing;
using Npgsql;

namespace CrawlData.Tests.Faults;

/// <summary>Writers to one crawl and to many, while something goes wrong. For each fault it is counted what was acknowledged, what is stored, and what was lost,
/// stored twice or out of order.</summary>
[Category("Faults")]
public sealed class StreamFaultTests : DatabaseTest
{
    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(
        double.Parse(Environment.GetEnvironmentVariable("CRAWLDATA_FAULT_SECONDS") ?? "2", CultureInfo.InvariantCulture));

    [Test]
    public Task No_fault_at_all([Values(1, 100)] int crawls) => RunAsync(new Load(DataSource, DataSource, crawls), _ => Task.CompletedTask);

    [Test]
    public async Task Connections_are_terminated([Values(1, 100)] int crawls)
    {
        await using var dataSource = CreateDataSource($"terminated{crawls}");
        await RunAsync(new Load(dataSource, DataSource, crawls), async ended =>
        {
            while (!ended.IsCancellationRequested)
            {
                await ExecuteAsync($"select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'terminated{crawls}' order by random() limit 2");
                await Task.Delay(15, CancellationToken.None);
            }
        });
    }

    [Test]
    public async Task Connections_are_cut_at_random_steps([Values(1, 100)] int crawls)
    {
        await using var proxy = new FaultProxy(Database.ConnectionString);
        await using var dataSource = proxy.CreateDataSource(Database.ConnectionString);

        await RunAsync(new Load(dataSource, DataSource, crawls), async ended =>
        {
            proxy.OnSent = (_, piece) => Random.Shared.Next(FaultProxy.IsCommit(piece) ? 10 : 60) == 0 ? (Fault)Random.Shared.Next(1, 5) : Fault.None;
            await Task.Delay(Timeout.Infinite, ended).ContinueWith(_ => proxy.OnSent = (_, _) => Fault.None, TaskScheduler.Default);
        });
    }

    [Test]
    public async Task The_pool_has_two_connections([Values(1, 100)] int crawls)
    {
        await using var dataSource = CreateDataSource("two", settings => settings.MaxPoolSize = 2);

        await RunAsync(new Load(dataSource, DataSource, crawls), _ => Task.CompletedTask);
    }

    [Test]
    public Task Calls_are_cancelled([Values(1, 100)] int crawls) => RunAsync(new Load(DataSource, DataSource, crawls) { Cancels = true }, _ => Task.CompletedTask);

    [Test]
    public async Task The_server_is_shut_down_at_once_and_started_again([Values(1, 100)] int crawls)
    {
        if (PostgresBinaries.Find(Environment.GetEnvironmentVariable) is null)
        {
            Assert.Ignore("There are no server binaries on this machine, so there is no server of our own to shut down.");
        }

        await using var server = await RestartableServer.StartAsync();
        await RunAsync(new Load(server.DataSource, server.DataSource, crawls), async ended =>
        {
            for (var restart = 0; restart < 3; restart++)
            {
                await Task.Delay(300, CancellationToken.None);
                await server.RestartAsync();
            }
        });
    }

    [Test]
    public async Task A_pooler_in_transaction_mode_stands_between([Values(1, 100)] int crawls)
    {
        if (PgBouncer.Find() is null)
        {
            Assert.Ignore("There is no pgbouncer on this machine.");
        }

        await using var pooler = await PgBouncer.StartAsync(Database.ConnectionString);
        await using var dataSource = NpgsqlDataSource.Create(pooler.ConnectionString);
        await RunAsync(new Load(dataSource, DataSource, crawls), async ended =>
        {
            while (!ended.IsCancellationRequested)
            {
                await ExecuteAsync($"select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'pooled%' order by random() limit 1");
                await Task.Delay(50, CancellationToken.None);
            }
        });
    }

    private NpgsqlDataSource CreateDataSource(string name, Action<NpgsqlConnectionStringBuilder>? configure = null)
    {
        var settings = new NpgsqlConnectionStringBuilder(Database.ConnectionString) { ApplicationName = name };
        configure?.Invoke(settings);
        return NpgsqlDataSource.Create(settings);
    }

    private async Task ExecuteAsync(string sql)
    {
        await using var command = DataSource.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    private static async Task RunAsync(Load load, Func<CancellationToken, Task> fault)
    {
        await load.PrepareAsync();

        // Faults end with the writing, so that what is under way comes to its end.
        using var ended = new CancellationTokenSource(Duration);
        var faulting = Task.Run(() => fault(ended.Token));
        await load.WriteAsync(ended.Token);
        await faulting;
        await load.CheckAsync();
    }
}
