using System.Net.Sockets;
using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Diagnostics;
using CrawlData.Recordings;
using CrawlData.Tests.Cli;
using CrawlData.Tests.Faults;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace CrawlData.Tests.Servers;

/// <summary>An application over a primary and its hot standby. The cases run one after the other, because each changes the standby.</summary>
[Parallelizable(ParallelScope.Self)]
public sealed class StandbyTests
{
    private ReplicatedServers servers = null!;

    [OneTimeSetUp]
    public async Task StartServersAsync() => servers = await ReplicatedServers.StartAsync(synchronous: false);

    [OneTimeTearDown]
    public async Task StopServersAsync() => await servers.DisposeAsync();

    [Test]
    public async Task Reads_go_to_the_standby_when_enabled_and_writes_to_the_primary([Values] bool readFromStandby)
    {
        await using var application = Application(readFromStandby);
        await ExecuteAsync("select pg_wal_replay_pause()");
        try
        {
            await Wait.UntilAsync(servers.Standby, "select pg_get_wal_replay_pause_state() = 'paused'");

            // Replay is paused: the standby does not have these rows.
            var written = await WriteAsync(application);

            Assert.That(await SeesAsync(application, written), Has.All.Property("Value").EqualTo(!readFromStandby));
        }
        finally
        {
            await ExecuteAsync("select pg_wal_replay_resume()");
        }
    }

    [Test]
    public async Task Replicated_rows_are_read_from_the_standby()
    {
        await using var application = Application(readFromStandby: true);
        var written = await WriteAsync(application);
        await Wait.UntilAsync(servers.Standby, $"select status = 'COMPLETED' from crawl_runs where id = '{written.Crawl}'");

        Assert.That(await SeesAsync(application, written), Has.All.Property("Value").EqualTo(true));
    }

    [Test]
    public async Task The_doctor_examines_a_standby()
    {
        var doctor = new DatabaseDoctor(servers.Standby);

        Assert.That(await doctor.CheckAsync(), Is.Empty);
        Assert.That(await doctor.CheckAllAsync(), Is.Empty);
    }

    [Test]
    public async Task A_standby_that_is_behind_and_a_slot_that_holds_back_WAL_are_found()
    {
        var doctor = new DatabaseDoctor(servers.Primary.DataSource);
        var limit = new DatabaseDoctorOptions { MaxWalBytes = 1_000_000 };
        Assert.That(await doctor.CheckAllAsync(), Is.Empty);
        await ExecuteAsync("select pg_wal_replay_pause()");
        try
        {
            await Wait.UntilAsync(servers.Standby, "select pg_get_wal_replay_pause_state() = 'paused'");
            await ExecuteOnPrimaryAsync("select pg_create_physical_replication_slot('forgotten', true)");
            await ExecuteOnPrimaryAsync("select pg_logical_emit_message(true, '', repeat('x', 2000000))");

            var findings = await doctor.CheckAllAsync(limit);
            Assert.That(findings.Select(finding => finding.Check), Is.EqualTo(["standbys", "slots"]));
            Assert.That($"{findings[0]}", Does.Match(@"^standby walreceiver is [1-9]\.\d MB behind\. "));
            Assert.That($"{findings[1]}", Does.Match(@"^replication slot forgotten is inactive, and holds back \d+\.\d MB of WAL\. "));
            Assert.That(await doctor.CheckAllAsync(), Is.Empty, "the default is 256 MiB");

            await ExecuteOnPrimaryAsync(findings[1].Remedy["if nothing will read it again: ".Length..]);
            await ExecuteAsync(findings[0].Remedy["if its replay is paused, on the standby: ".Length..]);
            await Wait.UntilAsync(
                servers.Primary.DataSource,
                "select pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn) < 1000000 from pg_stat_replication");
            Assert.That(await doctor.CheckAllAsync(limit), Is.Empty);
        }
        finally
        {
            await ExecuteAsync("select pg_wal_replay_resume()");
        }
    }

    [Test]
    public async Task A_role_that_may_not_see_the_lag_of_standbys_is_told_so()
    {
        await ExecuteOnPrimaryAsync(
            "create role blind login password 'of a test'; grant select on all tables in schema public to blind; "
            + "grant select on all sequences in schema public to blind");
        await using var dataSource = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(servers.Primary.ConnectionString) { Username = "blind", Password = "of a test" });

        var found = (await new DatabaseDoctor(dataSource).CheckAllAsync()).Single();
        Assert.That(
            (found.Check, found.Severity, found.Subject, found.Remedy),
            Is.EqualTo(("standbys", FindingSeverity.Unchecked, "the lag of standbys", "grant pg_read_all_stats to blind")));

        await ExecuteOnPrimaryAsync(found.Remedy);
        Assert.That(await new DatabaseDoctor(dataSource).CheckAllAsync(), Is.Empty);
    }

    [Test]
    public async Task Reads_go_to_the_primary_when_the_standby_is_down()
    {
        await using var application = Application(readFromStandby: true);
        var written = await WriteAsync(application);
        await application.GetRequiredService<CrawlRunRepository>().GetAsync(written.Crawl);
        await servers.StopStandbyAsync();
        try
        {
            // The pool still has a connection to the standby.
            await Assert.ThatAsync(
                () => application.GetRequiredService<CrawlRunRepository>().GetAsync(written.Crawl),
                Throws.InstanceOf<NpgsqlException>().With.Property("IsTransient").True);

            Assert.That(await SeesAsync(application, written), Has.All.Property("Value").EqualTo(true));
        }
        finally
        {
            servers.Standby.Clear();
            await servers.StartStandbyAsync();
        }
    }

    [Test]
    public async Task The_end_to_end_scenario_works_on_the_primary_of_several_hosts()
    {
        await using var create = servers.Primary.DataSource.CreateCommand("create database everything");
        await create.ExecuteNonQueryAsync();

        await EndToEndScenario.RunAsync(
            new NpgsqlConnectionStringBuilder(servers.ConnectionString) { Database = "everything" }.ConnectionString, migrate: true);
    }

    [Test]
    public async Task The_tool_works_on_the_primary_of_several_hosts()
    {
        var crawl = (await new CrawlRunRepository(servers.Primary.DataSource).InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" })).Id;

        var result = await Tool.RunAsync(servers.ConnectionString, """{"event_type": "step", "payload": {}}""", ["append", $"{crawl}"]);

        Assert.That((result.ExitCode, result.Error), Is.EqualTo((0, "")));
    }

    [Test]
    public async Task A_standby_refuses_to_list_the_events_of_all_crawls() =>
        await Assert.ThatAsync(
            () => new CrawlEventRepository(servers.Standby, retry: new RetryOptions { Limit = TimeSpan.Zero }).ListAllAsync(),
            Throws.InvalidOperationException);

    /// <summary>The pool keeps its connection to the standby, and a new connection leads to the primary.</summary>
    [Test]
    public async Task A_follower_of_all_crawls_whose_address_leads_to_a_standby_for_a_while_goes_on()
    {
        var crawl = (await new CrawlRunRepository(servers.Primary.DataSource).InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" })).Id;
        var events = new CrawlEventRepository(servers.Primary.DataSource);
        var id = await events.AppendAsync(crawl, new NewCrawlEvent { EventType = "step", Payload = Jsonb.Parse("{}") });
        await using var proxy = new FaultProxy(servers.Primary.ConnectionString);
        (var primaryPort, proxy.Port) = (proxy.Port, new NpgsqlConnectionStringBuilder(servers.Standby.ConnectionString).Port);
        await using var dataSource = proxy.CreateDataSource(servers.Primary.ConnectionString);
        var retries = new LoggedEvents<CrawlEventRepository>(10);
        var following = new CrawlEventRepository(dataSource, logger: retries);
        var next = following.FollowAllAsync(DatabaseTest.CursorAfter(id - 1)).SelectMany(batch => batch.Events).FirstAsync().AsTask();
        await Task.WhenAny(next, retries.Received.UntilCountAsync(2));
        proxy.Port = primaryPort;

        Assert.That((await next.WaitAsync(Wait.Longest)).Id, Is.EqualTo(id));
    }

    [Test]
    public async Task A_follower_of_a_run_that_a_standby_lacks_goes_on_when_its_address_leads_to_the_primary()
    {
        await ExecuteAsync("select pg_wal_replay_pause()");
        try
        {
            await Wait.UntilAsync(servers.Standby, "select pg_get_wal_replay_pause_state() = 'paused'");
            var crawl = (await new CrawlRunRepository(servers.Primary.DataSource).InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" })).Id;
            var id = await new CrawlEventRepository(servers.Primary.DataSource)
                .AppendAsync(crawl, new NewCrawlEvent { EventType = "step", Payload = Jsonb.Parse("{}") });
            await using var proxy = new FaultProxy(servers.Primary.ConnectionString);
            (var primaryPort, proxy.Port) = (proxy.Port, new NpgsqlConnectionStringBuilder(servers.Standby.ConnectionString).Port);
            await using var dataSource = proxy.CreateDataSource(servers.Primary.ConnectionString);
            var retries = new LoggedEvents<CrawlEventRepository>(10);
            var next = new CrawlEventRepository(dataSource, logger: retries).FollowAsync(crawl).FirstAsync().AsTask();
            await Task.WhenAny(next, retries.Received.UntilCountAsync(2));
            proxy.Port = primaryPort;

            Assert.That((await next.WaitAsync(Wait.Longest)).Id, Is.EqualTo(id));
            await Assert.ThatAsync(
                () => new CrawlEventRepository(servers.Standby, retry: new RetryOptions { Limit = TimeSpan.Zero }).FollowAsync(crawl).AnyAsync().AsTask(),
                Throws.InstanceOf<RowNotFoundException>());
        }
        finally
        {
            await ExecuteAsync("select pg_wal_replay_resume()");
        }
    }

    [Test]
    public async Task A_standby_ends_with_its_primary()
    {
        var pair = await ReplicatedServers.StartAsync(synchronous: false);
        var standby = pair.Standby.ConnectionString;
        await pair.DisposeAsync();

        await using var connection = new NpgsqlConnection(standby);
        await Assert.ThatAsync(() => connection.OpenAsync(), Throws.InstanceOf<NpgsqlException>().With.InnerException.InstanceOf<SocketException>());
    }

    /// <summary>Writes with each repository. Each call needs the rows of the call before.</summary>
    private static async Task<Written> WriteAsync(ServiceProvider application)
    {
        var runs = application.GetRequiredService<CrawlRunRepository>();
        var events = application.GetRequiredService<CrawlEventRepository>();
        var crawl = (await runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" })).Id;
        (await runs.StartAsync(crawl)).EnsureApplied();
        var eventId = await events.AppendAsync(crawl, new NewCrawlEvent { EventType = "step", Payload = Jsonb.Parse("{}") });
        (await runs.CompleteAsync(crawl)).EnsureApplied();
        Assert.That((await events.FollowAsync(crawl).SingleAsync()).Id, Is.EqualTo(eventId));
        Assert.That(await events.GetAsync(crawl, eventId), Is.Not.Null);
        Assert.That((await events.ListAllAsync(DatabaseTest.CursorAfter(eventId - 1))).Events.Single().Id, Is.EqualTo(eventId));
        Assert.That((await events.FollowAllAsync(DatabaseTest.CursorAfter(eventId - 1)).FirstAsync()).Events[0].Id, Is.EqualTo(eventId));

        var sessions = application.GetRequiredService<AuditSessionRepository>();
        var queue = application.GetRequiredService<AuditSessionQueue>();
        var version = $"{Guid.NewGuid()}";
        var inserted = await sessions.InsertAsync(
            new NewAuditSession { Url = "https://example.org/", CrawlPolicyVersion = version, ConfigSnapshot = Jsonb.Parse("{}") });
        var session = (await queue.ClaimNextAsync())!;
        Assert.That(session.Id, Is.EqualTo(inserted.Id));
        var page = await application.GetRequiredService<AuditPageRepository>().InsertAsync(
            session.Id, new NewAuditPage { PageType = PageType.Pdp, Viewport = Viewport.Mobile });
        var artifact = await application.GetRequiredService<ArtifactRepository>().InsertAsync(
            session.Id, new NewArtifact { PageId = page.Id, Type = ArtifactType.HtmlGz, StorageUri = "s3://a", SizeBytes = 1 });
        var logs = application.GetRequiredService<CrawlLogRepository>();
        var lineId = await logs.AppendAsync(session.Id, new NewCrawlLog { EventType = CrawlLogEventType.Error, Message = "a" });
        Assert.That(await logs.GetAsync(session.Id, lineId), Is.Not.Null);
        (await queue.CompleteAsync(session.Id, session.Attempts)).EnsureApplied();
        return new Written(crawl, session.Id, version, page.Id, artifact.Id);
    }

    /// <summary>Reads in each way, and returns whether the rows were there.</summary>
    private static async Task<Dictionary<string, bool>> SeesAsync(ServiceProvider application, Written written)
    {
        var runs = application.GetRequiredService<CrawlRunRepository>();
        var events = application.GetRequiredService<CrawlEventRepository>();
        var sessions = application.GetRequiredService<AuditSessionRepository>();
        var pages = application.GetRequiredService<AuditPageRepository>();
        var artifacts = application.GetRequiredService<ArtifactRepository>();
        var logs = application.GetRequiredService<CrawlLogRepository>();
        var exporter = application.GetRequiredService<RecordingExporter>();
        var filter = new AuditSessionFilter { CrawlPolicyVersion = written.CrawlPolicyVersion };
        return new()
        {
            ["a run"] = await runs.GetAsync(written.Crawl) is not null,
            ["the runs"] = (await runs.ListAsync()).Items.Any(run => run.Id == written.Crawl),
            ["a crawl's events, streamed"] = await events.StreamAsync(written.Crawl).AnyAsync(),
            ["a crawl's events"] = (await events.ListAsync(written.Crawl)).Items.Count == 1,
            ["a crawl's last event"] = await events.GetLastAsync(written.Crawl) is not null,
            ["the number of a crawl's events"] = await events.CountAsync(written.Crawl) == 1,
            ["the number of a crawl's events by type"] = (await events.CountByTypeAsync(written.Crawl)).Count == 1,
            ["a session"] = await sessions.GetAsync(written.Session) is not null,
            ["the sessions"] = (await sessions.ListAsync(filter)).Items.Count == 1,
            ["the number of sessions by status"] = (await sessions.CountByStatusAsync(filter))[AuditSessionStatus.Completed] == 1,
            ["the number of sessions by crawl policy"] = (await sessions.CountByCrawlPolicyVersionAsync(filter)).Count == 1,
            ["a page"] = await pages.GetAsync(written.Session, written.Page) is not null,
            ["the pages"] = (await pages.ListAsync(written.Session)).Count == 1,
            ["an artifact"] = await artifacts.GetAsync(written.Session, written.Artifact) is not null,
            ["the artifacts"] = (await artifacts.ListAsync(written.Session)).Count == 1,
            ["the size of the artifacts"] = (await artifacts.TotalByTypeAsync(written.Session))[ArtifactType.HtmlGz].Count == 1,
            ["a log"] = (await logs.ListAsync(written.Session)).Items.Count == 2,
            ["a log, streamed"] = await logs.StreamAsync(written.Session).AnyAsync(),
            ["a crawl's recording"] = await IsThereAsync(() => exporter.ExportCrawlAsync(written.Crawl, Stream.Null)),
            ["a session's recording"] = await IsThereAsync(() => exporter.ExportSessionAsync(written.Session, Stream.Null)),
        };
    }

    private static async Task<bool> IsThereAsync(Func<Task> read)
    {
        try
        {
            await read();
            return true;
        }
        catch (RowNotFoundException)
        {
            return false;
        }
    }

    private ServiceProvider Application(bool readFromStandby) => new ServiceCollection()
        .AddCrawlData(servers.ConnectionString, options => (options.MigrateAtStartup, options.ReadFromStandby) = (false, readFromStandby))
        .BuildServiceProvider();

    private async Task ExecuteOnPrimaryAsync(string sql)
    {
        await using var command = servers.Primary.DataSource.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    private async Task ExecuteAsync(string sql)
    {
        await using var command = servers.Standby.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    private sealed record Written(Guid Crawl, Guid Session, string CrawlPolicyVersion, Guid Page, Guid Artifact);
}
