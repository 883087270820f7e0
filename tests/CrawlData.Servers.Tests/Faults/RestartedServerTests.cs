using CrawlData.Crawls;
using CrawlData.Storage;
using CrawlData.Tests.Servers;
using Npgsql;

namespace CrawlData.Tests.Faults;

/// <summary>In-doubt appends on a server that restarts, and on one with a synchronous standby. What is acknowledged is durable on the standby too.</summary>
[Category("Faults")]
public sealed class RestartedServerTests
{
    private static readonly DateTime CreatedAt = new(2026, 11, 1);

    private static readonly NewCrawlEvent Event = new() { EventType = "step", Payload = Jsonb.Parse("{}") };

    [Test]
    public async Task A_crashed_server_that_assigns_the_ids_of_a_lost_append_again_does_not_acknowledge_it([Values(1, 2)] int crashes)
    {
        await using var server = await RestartableServer.StartAsync();
        var crawl = await CreateCrawlAsync(server.DataSource);
        await server.SetAsync(("wal_writer_delay", "10s"));
        await server.RestartAsync("fast");
        server.DataSource.Clear();
        AppendedRows lost;
        await using (var connection = await server.DataSource.OpenConnectionAsync())
        {
            await using var transaction = await connection.BeginTransactionAsync();
            lost = await InDoubtAppend.InsertAsync(connection, transaction, crawl, CreatedAt);
            await server.RestartAsync();
        }

        server.DataSource.Clear();
        await using (var connection = await server.DataSource.OpenConnectionAsync())
        {
            await using var transaction = await connection.BeginTransactionAsync();
            var other = await InDoubtAppend.InsertAsync(connection, transaction, crawl, CreatedAt);
            await transaction.CommitAsync();
            Assert.That((other.Ids[0], other.Transaction!.Value.Id), Is.EqualTo((lost.Ids[0], lost.Transaction!.Value.Id)), "the ids are assigned again");
        }

        for (var crash = 1; crash < crashes; crash++)
        {
            await CreateCrawlAsync(server.DataSource);
            await server.RestartAsync();
            server.DataSource.Clear();
        }

        Assert.That(
            await InDoubtAppend.VerifyAsync(server.DataSource, lost), Is.EqualTo(crashes == 1 ? CommitOutcome.RolledBack : CommitOutcome.Unknown));
    }

    [Test]
    public async Task After_a_restart_an_append_is_recognised_by_the_server_s_own_time_only([Values] bool hasTransactionTime)
    {
        await using var server = await RestartableServer.StartAsync();
        var crawl = await CreateCrawlAsync(server.DataSource);
        AppendedRows stored;
        await using (var connection = await server.DataSource.OpenConnectionAsync())
        {
            await using var transaction = await connection.BeginTransactionAsync();
            stored = await InDoubtAppend.InsertAsync(connection, transaction, crawl, hasTransactionTime ? null : CreatedAt);
            await transaction.CommitAsync();
        }

        await server.RestartAsync();
        server.DataSource.Clear();

        Assert.That(
            await InDoubtAppend.VerifyAsync(server.DataSource, stored), Is.EqualTo(hasTransactionTime ? CommitOutcome.Committed : CommitOutcome.Unknown));
    }

    [Test]
    public async Task An_append_that_a_restart_made_visible_is_not_acknowledged_before_its_standby_has_it()
    {
        await using var servers = await ReplicatedServers.StartAsync(synchronous: true);
        var primary = servers.Primary;
        var crawl = await CreateCrawlAsync(primary.DataSource);
        await servers.CutOffAsync();
        await using var dataSource = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(primary.ConnectionString) { CommandTimeout = 2 });
        var append = new CrawlEventRepository(dataSource).AppendAsync(crawl, Event);
        await Wait.UntilAsync(
            primary.DataSource, "select exists (select from pg_stat_activity where wait_event = 'SyncRep')");

        await primary.RestartAsync();

        var exception = await Assert.ThrowsAsync<AppendOutcomeUnknownException>(() => append);
        primary.DataSource.Clear();
        Assert.That(await new CrawlEventRepository(primary.DataSource).GetAsync(crawl, exception!.Ids[0]), Is.Not.Null, "it is visible on the primary");
    }

    [Test]
    public async Task A_commit_without_its_standby_is_not_acknowledged_to_a_role_that_hides_warnings()
    {
        await using var server = await RestartableServer.StartAsync();
        await using var dataSource = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(server.ConnectionString) { CommandTimeout = 1, Options = "-c client_min_messages=error" });
        var crawl = await CreateCrawlAsync(server.DataSource);
        await server.RequireMissingStandbyAsync();

        await Assert.ThatAsync(() => new CrawlEventRepository(dataSource).AppendAsync(crawl, Event), Throws.InstanceOf<AppendOutcomeUnknownException>());
    }

    /// <summary>Terminating it would leave it stored on this server only. Goes red when a session in COMMIT is terminated.</summary>
    [Test]
    public async Task A_commit_that_waits_for_its_standby_is_not_terminated()
    {
        await using var server = await RestartableServer.StartAsync();
        await using var proxy = new FaultProxy(server.ConnectionString);
        await using var dataSource = proxy.CreateDataSource(server.ConnectionString);
        var crawl = (await new CrawlRunRepository(server.DataSource).InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" })).Id;
        await server.RequireMissingStandbyAsync();
        proxy.OnSent = (_, piece) => FaultProxy.IsCommit(piece) ? Fault.CutDuring : Fault.None;

        await Assert.ThatAsync(
            () => new CrawlEventRepository(dataSource, retry: new RetryOptions { Limit = TimeSpan.FromSeconds(2) })
                .AppendAsync(crawl, Enumerable.Repeat(Event, 3)),
            Throws.InstanceOf<AppendOutcomeUnknownException>());

        Assert.That(await new CrawlEventRepository(server.DataSource).CountAsync(crawl), Is.Zero);
        await ExecuteAsync(server.DataSource, "alter system reset synchronous_standby_names");
        await ExecuteAsync(server.DataSource, "select pg_reload_conf()");
        await Wait.UntilAsync(server.DataSource, "select count(*) = 3 from crawl_events");
    }

    /// <summary>The command's time-out cancels the wait for the standby. The server then reports the transaction as committed.</summary>
    [Test]
    public async Task A_commit_whose_wait_for_its_standby_was_cancelled_is_not_acknowledged()
    {
        await using var server = await RestartableServer.StartAsync();
        await using var dataSource = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(server.ConnectionString) { CommandTimeout = 1 });
        var crawl = (await new CrawlRunRepository(server.DataSource).InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" })).Id;
        await server.RequireMissingStandbyAsync();

        await Assert.ThatAsync(
            () => new CrawlEventRepository(dataSource).AppendAsync(crawl, Enumerable.Repeat(Event, 3)), Throws.InstanceOf<AppendOutcomeUnknownException>());
    }

    private static async Task<Guid> CreateCrawlAsync(NpgsqlDataSource dataSource) =>
        (await new CrawlRunRepository(dataSource).InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" })).Id;

    private static async Task ExecuteAsync(NpgsqlDataSource dataSource, string sql)
    {
        await using var command = dataSource.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }
}
