using CrawlData.Crawls;
using CrawlData.Storage;
using CrawlData.Testing;
using CrawlData.Tests.Servers;
using Npgsql;

namespace CrawlData.Tests.Faults;

/// <summary>A lost COMMIT is verified by its transaction, and not by what its row looks like. What is acknowledged is durable on the standbys too.</summary>
public sealed class InDoubtTransactionTests
{
    private static readonly DateTime CreatedAt = new(2026, 11, 1);

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
    public async Task An_append_whose_rows_a_trigger_stamps_is_stored_once([Values(1, 3, 1_000)] int count)
    {
        await using var database = await ThrowawayDatabase.StartAsync(new ThrowawayDatabaseOptions { Logger = TestLog.Instance });
        var crawl = await CreateCrawlAsync(database.DataSource);
        await ExecuteAsync(
            database.DataSource,
            """
            create function stamp() returns trigger language plpgsql as $$ begin new.created_at := clock_timestamp(); return new; end $$;
            create trigger stamp before insert on crawl_events for each row execute function stamp()
            """);

        var ids = await AppendWithLostAnswerAsync(database, crawl, count, onVerify: () => { });

        Assert.That(await new CrawlEventRepository(database.DataSource).StreamAsync(crawl).Select(one => one.Id).ToListAsync(), Is.EqualTo(ids));
    }

    [Test]
    public async Task An_append_whose_rows_are_deleted_before_it_is_verified_is_stored_once([Values(1, 1_000)] int count)
    {
        await using var database = await ThrowawayDatabase.StartAsync(new ThrowawayDatabaseOptions { Logger = TestLog.Instance });
        var crawl = await CreateCrawlAsync(database.DataSource);
        var deleted = 0;

        var ids = await AppendWithLostAnswerAsync(database, crawl, count, onVerify: () =>
        {
            using var delete = database.DataSource.CreateCommand("delete from crawl_events");
            deleted += delete.ExecuteNonQuery();
        });

        Assert.That(ids, Has.Count.EqualTo(count));
        Assert.That(deleted, Is.EqualTo(count));
        Assert.That(await new CrawlEventRepository(database.DataSource).CountAsync(crawl), Is.Zero, "nothing is appended again");
    }

    [Test]
    public async Task A_backend_that_waits_for_its_lost_client_is_terminated_with_track_activities_off()
    {
        await using var database = await ThrowawayDatabase.StartAsync(new ThrowawayDatabaseOptions { Logger = TestLog.Instance });
        await ExecuteAsync(
            database.DataSource, $"alter database {new NpgsqlConnectionStringBuilder(database.ConnectionString).Database} set track_activities to off");
        var crawl = await CreateCrawlAsync(database.DataSource);
        await using var proxy = new FaultProxy(database.ConnectionString);
        await using var dataSource = proxy.CreateDataSource(database.ConnectionString);
        var lost = 0;
        proxy.OnSent = (_, piece) => FaultProxy.IsCommit(piece) && Interlocked.Exchange(ref lost, 1) == 0 ? Fault.Silence : Fault.None;

        var id = await new CrawlEventRepository(dataSource).AppendAsync(crawl, Event);

        Assert.That(await new CrawlEventRepository(database.DataSource).StreamAsync(crawl).Select(one => one.Id).ToListAsync(), Is.EqualTo(new[] { id }));
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
            primary.DataSource, "select exists (select from pg_stat_activity where wait_event = 'SyncRep')", TimeSpan.FromSeconds(10));

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
        await server.SetAsync(("synchronous_standby_names", "nobody"));

        await Assert.ThatAsync(() => new CrawlEventRepository(dataSource).AppendAsync(crawl, Event), Throws.InstanceOf<AppendOutcomeUnknownException>());
    }

    private static NewCrawlEvent Event { get; } = new() { EventType = "step", Payload = Jsonb.Parse("{}") };

    /// <summary>Appends through a proxy that loses the answer to the COMMIT.</summary>
    /// <param name="database">The database.</param>
    /// <param name="crawl">The crawl.</param>
    /// <param name="count">The number of events.</param>
    /// <param name="onVerify">Runs once, after the COMMIT and before the first statement of the verification.</param>
    private static async Task<IReadOnlyList<long>> AppendWithLostAnswerAsync(ThrowawayDatabase database, Guid crawl, int count, Action onVerify)
    {
        await using var proxy = new FaultProxy(database.ConnectionString);
        await using var dataSource = proxy.CreateDataSource(database.ConnectionString);
        var step = 0;
        proxy.OnSent = (_, piece) =>
        {
            if (step == 0 && FaultProxy.IsCommit(piece))
            {
                step = 1;
                return Fault.CutAfter;
            }

            if (step == 1)
            {
                step = 2;
                onVerify();
            }

            return Fault.None;
        };

        var ids = await new CrawlEventRepository(dataSource).AppendAsync(crawl, Enumerable.Repeat(Event, count));
        Assert.That(step, Is.EqualTo(2), "the COMMIT was verified");
        return ids;
    }

    private static async Task<Guid> CreateCrawlAsync(NpgsqlDataSource dataSource) =>
        (await new CrawlRunRepository(dataSource).InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" })).Id;

    private static async Task ExecuteAsync(NpgsqlDataSource dataSource, string sql)
    {
        await using var command = dataSource.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }
}
