using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Retention;
using CrawlData.Schema;
using CrawlData.Testing;
using CrawlData.Tests.Schema;
using CrawlData.Workers;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Npgsql;

namespace CrawlData.Tests;

/// <summary>A host with several databases.</summary>
public sealed class KeyedServicesTests : MigratorTest
{

    private readonly HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(null);

    private ThrowawayDatabase other = null!;

    [SetUp]
    public async Task StartOtherAsync() =>
        other = await ThrowawayDatabase.StartAsync(new ThrowawayDatabaseOptions { Migrate = false, Logger = TestLog.Instance });

    [TearDown]
    public async Task DropOtherAsync() => await other.DisposeAsync();

    [Test]
    public async Task Each_database_is_migrated_and_gets_its_own_rows_at_the_latest_when_the_host_stops([Values("us", null)] string? otherKey)
    {
        builder.Services.AddKeyedCrawlData("eu", Database.ConnectionString, Lingering);
        if (otherKey is null)
        {
            builder.Services.AddSingleton(other.DataSource).AddCrawlData(Lingering);
        }
        else
        {
            builder.Services.AddKeyedSingleton(otherKey, other.DataSource).AddKeyedCrawlData(otherKey, Lingering);
        }

        using var host = builder.Build();
        await host.StartAsync();
        await WriteAsync("eu", 2);
        await WriteAsync(otherKey, 3);
        await host.StopAsync();

        Assert.That((await CountAsync(DataSource), await CountAsync(other.DataSource)), Is.EqualTo((2, 3)));
        Assert.That(host.Services.GetRequiredKeyedService<NpgsqlDataSource>("eu").ConnectionString, Does.Contain(DatabaseOf(Database)));

        static void Lingering(CrawlDataOptions options) => options.Writer.Linger = TimeSpan.FromMinutes(1);

        async Task WriteAsync(string? key, int events)
        {
            var services = host.Services;
            var run = await services.GetRequiredKeyedService<CrawlRunRepository>(key).InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" });
            for (var number = 0; number < events; number++)
            {
                await services.GetRequiredKeyedService<CrawlEventWriter>(key).WriteAsync(run.Id, Step());
            }
        }
    }

    [Test]
    public async Task A_database_that_is_down_takes_none_of_the_time_in_which_another_is_flushed()
    {
        var host = await StartWithOneDownAsync("down", "eu");
        using var timeIsUp = new CancellationTokenSource();

        var stopping = host.StopAsync(timeIsUp.Token);

        await Wait.UntilAsync(DataSource, "select exists (select from crawl_events)");
        Assert.That(stopping.IsCompleted, Is.False);
        await timeIsUp.CancelAsync();
        await Assert.ThatAsync(() => stopping, Throws.InstanceOf<OperationCanceledException>());
        Assert.That(host.Dispose, Throws.InstanceOf<CrawlEventsNotStoredException>());
    }

    /// <summary>Its disposal throws. Where it comes first, the container disposes no further service.</summary>
    [Test]
    public async Task A_database_that_is_down_keeps_no_other_from_being_flushed_when_the_time_to_stop_is_up([Values] bool downFirst)
    {
        var host = await (downFirst ? StartWithOneDownAsync("down", "eu") : StartWithOneDownAsync("eu", "down"));

        await Assert.ThatAsync(() => host.StopAsync(new CancellationToken(canceled: true)), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(host.Dispose, Throws.InstanceOf<CrawlEventsNotStoredException>());

        Assert.That(await CountAsync(DataSource), Is.EqualTo(1));
    }

    [Test]
    public async Task Each_database_has_a_health_of_its_own()
    {
        var host = await StartWithOneDownAsync("down", "eu");

        var report = await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(check => check.Tags.Contains("ready"));

        Assert.That(report.Entries.ToDictionary(entry => entry.Key, entry => entry.Value.Status), Is.EquivalentTo(new Dictionary<string, HealthStatus>
        {
            ["crawldata-down"] = HealthStatus.Degraded,
            ["crawldata-eu"] = HealthStatus.Healthy,
        }));
        await host.StopAsync(new CancellationToken(canceled: true)).ContinueWith(_ => { }, TaskScheduler.Default);
        Assert.That(host.Dispose, Throws.InstanceOf<CrawlEventsNotStoredException>());
    }

    [Test]
    public void A_health_check_without_its_database_names_it([Values("ue", null)] string? key)
    {
        builder.Services.AddHealthChecks().AddCrawlData(serviceKey: key);
        using var provider = builder.Services.BuildServiceProvider();

        var call = key is null ? "AddCrawlData" : "AddKeyedCrawlData(\"ue\")";
        Assert.That(
            () => provider.GetRequiredService<HealthCheckService>().CheckHealthAsync(), Throws.InvalidOperationException.With.Message.Contains(call));
    }

    [Test]
    public async Task A_migration_that_fails_is_logged_with_its_key_and_another_is_done()
    {
        await ExecuteAsync("create table crawl_runs (id int)");
        var failures = new LoggedEvents<SchemaMigrator>(7);
        builder.Services.AddSingleton<ILogger<SchemaMigrator>>(failures);
        builder.Services.AddKeyedCrawlData("broken", Database.ConnectionString).AddKeyedCrawlData("eu", other.ConnectionString);
        using var host = builder.Build();

        await Assert.ThrowsAsync<MigrationException>(() => host.StartAsync());

        Assert.That(failures.Received.ToList().Single(), Does.Contain("key broken"));
        Assert.That(await CountAsync(other.DataSource), Is.Zero);
    }

    [Test]
    public async Task A_worker_works_on_the_database_with_its_key()
    {
        var (eu, us) = (Database.ConnectionString, other.ConnectionString);

        // snippet: two-databases
        foreach (var (key, connectionString) in new[] { ("eu", eu), ("us", us) })
        {
            builder.Services.AddKeyedCrawlData(key, connectionString, options => options.Notify = true);
            builder.Services.AddKeyedCrawlWorker<RegionalCrawler>(key);
            builder.Services.AddKeyedAuditWorker<RegionalAuditor>(key);
            builder.Services.Configure<WorkerOptions>(WorkerOptions.NameOf(WorkerOptions.Audits, key), options => options.Concurrency = 4);
        }

        // end snippet
        using var host = builder.Build();
        await host.StartAsync();
        foreach (var key in new[] { "eu", "us" })
        {
            await host.Services.GetRequiredKeyedService<CrawlRunRepository>(key).InsertAsync(new NewCrawlRun { AppPackage = $"org.example.{key}" });
            await host.Services.GetRequiredKeyedService<AuditSessionRepository>(key).InsertAsync(Session($"https://{key}.example.org/"));
        }

        const string Done = """
            select exists (select from crawl_runs where status = 'COMPLETED') and exists (select from audit_sessions where status = 'completed')
            """;
        await Wait.UntilAsync(DataSource, Done);
        await Wait.UntilAsync(other.DataSource, Done);
        await host.StopAsync();
        foreach (var (key, dataSource) in new[] { ("eu", DataSource), ("us", other.DataSource) })
        {
            var seen = new List<CrawlEvent>();
            var run = (await new CrawlRunRepository(dataSource).ListAsync()).Items.Single();
            await foreach (var one in new CrawlEventRepository(dataSource).StreamAsync(run.Id))
            {
                seen.Add(one);
            }

            Assert.That(seen.Single().Payload, Is.EqualTo(Jsonb.From(new { region = key, stored = 0 })));
        }
    }

    [Test]
    public async Task A_janitor_sweeps_the_database_with_its_key_into_the_store_with_its_key()
    {
        await ExpireAsync(Database);
        await ExpireAsync(other);
        var (store, clock) = (new Store(), new FakeTimeProvider());
        builder.Services.AddSingleton<TimeProvider>(clock);
        builder.Services.AddKeyedSingleton<IArtifactStore>("eu", store);
        builder.Services.AddKeyedCrawlData("eu", Database.ConnectionString).AddKeyedCrawlData("us", other.ConnectionString);
        builder.Services.AddKeyedCrawlDataJanitor("eu");
        using var host = builder.Build();
        await host.StartAsync();

        await Wait.UntilAsync(
            () =>
            {
                clock.Advance(TimeSpan.FromMinutes(1));
                return Task.FromResult(store.Deleted.Count > 0);
            },
            "the janitor sweeps");

        await host.StopAsync();
        Assert.That(store.Deleted.ToList(), Is.EqualTo(new[] { $"s3://{DatabaseOf(Database)}" }));
    }

    [Test]
    public async Task A_store_without_a_key_is_not_a_keyed_janitor_s()
    {
        builder.Services.AddSingleton<IArtifactStore>(new Store());
        builder.Services.AddKeyedCrawlData("eu", Database.ConnectionString).AddKeyedCrawlDataJanitor("eu");
        using var host = builder.Build();

        await Assert.ThatAsync(() => host.StartAsync(), Throws.InvalidOperationException.With.Message.Contains("IArtifactStore with the key \"eu\""));
    }

    [Test]
    public async Task A_mistyped_key_of_a_worker_is_named_and_prevents_the_host_from_starting()
    {
        builder.Services.AddKeyedCrawlData("eu", Database.ConnectionString).AddKeyedCrawlWorker<RegionalCrawler>("ue");
        using var host = builder.Build();

        await Assert.ThatAsync(
            () => host.StartAsync(),
            Throws.InvalidOperationException.With.Message.EqualTo("Call AddKeyedCrawlData(\"ue\") first. It was called with: eu."));
    }

    [Test]
    public async Task A_data_source_without_a_key_is_not_used_for_one_with()
    {
        builder.Services.AddSingleton(DataSource).AddKeyedCrawlData("eu");
        using var host = builder.Build();

        await Assert.ThatAsync(() => host.StartAsync(), Throws.InvalidOperationException.With.Message.Contains("NpgsqlDataSource with the key \"eu\""));
        Assert.That(await ExistsAsync("crawldata_journal"), Is.False);
    }

    [Test]
    public async Task A_second_data_source_for_a_key_is_refused()
    {
        builder.Services.AddKeyedSingleton("us", other.DataSource).AddKeyedCrawlData("us");
        builder.Services.AddKeyedSingleton("eu", DataSource).AddKeyedCrawlData("eu");
        builder.Services.AddKeyedSingleton("eu", other.DataSource).AddKeyedCrawlData("eu");
        using var host = builder.Build();

        await Assert.ThatAsync(() => host.StartAsync(), Throws.InvalidOperationException.With.Message.Contains("two data sources"));
    }

    [Test]
    public void A_second_connection_string_for_a_key_is_refused()
    {
        builder.Services.AddKeyedCrawlData("eu", Database.ConnectionString).AddKeyedCrawlData("us", Database.ConnectionString);

        Assert.That(
            () => builder.Services.AddKeyedCrawlData("eu", Database.ConnectionString), Throws.InvalidOperationException.With.Message.Contains("\"eu\""));
    }

    [Test]
    public async Task Each_key_has_options_of_its_own()
    {
        builder.Services.AddKeyedCrawlData("eu", Database.ConnectionString, options => options.Notify = true);
        builder.Services.AddKeyedCrawlData("us", other.ConnectionString).Configure<CrawlDataOptions>("us", options => options.ExpectWrites = false);
        await using var provider = builder.Services.BuildServiceProvider();

        var options = provider.GetRequiredService<IOptionsMonitor<CrawlDataOptions>>();
        Assert.That((options.Get("eu").Notify, options.Get("us").Notify), Is.EqualTo((true, false)));
        Assert.That((options.Get("eu").ExpectWrites, options.Get("us").ExpectWrites), Is.EqualTo((true, false)));
    }

    [Test]
    public void An_empty_key_is_refused() =>
        Assert.That(() => builder.Services.AddKeyedCrawlData(""), Throws.ArgumentException.With.Property("ParamName").EqualTo("serviceKey"));

    /// <summary>Starts a host with a database that is down, and one that is not. Each has an event in its writer's buffer.</summary>
    private async Task<IHost> StartWithOneDownAsync(params string[] keys)
    {
        await new SchemaMigrator(DataSource).MigrateAsync();
        foreach (var key in keys)
        {
            builder.Services.AddHealthChecks().AddCrawlData(
                serviceKey: key, failureStatus: key == "down" ? HealthStatus.Degraded : null, tags: ["ready"], timeout: Wait.Longest);
            var connectionString = key == "down" ? "Host=127.0.0.1;Port=1;Username=nobody" : Database.ConnectionString;
            builder.Services.AddKeyedCrawlData(
                key, connectionString, options => (options.MigrateAtStartup, options.Writer.Linger) = (false, TimeSpan.FromMinutes(1)));
        }

        var host = builder.Build();
        await host.StartAsync();
        var run = await host.Services.GetRequiredKeyedService<CrawlRunRepository>("eu").InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" });
        foreach (var key in keys)
        {
            await host.Services.GetRequiredKeyedService<CrawlEventWriter>(key).WriteAsync(run.Id, Step());
        }

        return host;
    }

    private static NewCrawlEvent Step(string eventType = "step") => new() { EventType = eventType, Payload = Jsonb.Parse("{}") };

    private static NewAuditSession Session(string url) => new() { Url = url, CrawlPolicyVersion = "2026.11", ConfigSnapshot = Jsonb.Parse("{}") };

    private static string DatabaseOf(ThrowawayDatabase database) => new NpgsqlConnectionStringBuilder(database.ConnectionString).Database!;

    private static async Task<long> CountAsync(NpgsqlDataSource dataSource)
    {
        await using var command = dataSource.CreateCommand("select count(*) from crawl_events");
        return (long)(await command.ExecuteScalarAsync())!;
    }

    private static async Task ExpireAsync(ThrowawayDatabase database)
    {
        await new SchemaMigrator(database.DataSource).MigrateAsync();
        var session = await new AuditSessionRepository(database.DataSource).InsertAsync(Session("https://example.org/"));
        var page = await new AuditPageRepository(database.DataSource).InsertAsync(
            session.Id, new NewAuditPage { PageType = PageType.Homepage, Viewport = Viewport.Desktop });
        await new ArtifactRepository(database.DataSource).InsertAsync(session.Id, new NewArtifact
        {
            PageId = page.Id,
            Type = ArtifactType.Screenshot,
            SizeBytes = 1,
            StorageUri = $"s3://{DatabaseOf(database)}",
            RetentionUntil = DateTimeOffset.UnixEpoch,
        });
    }

    // snippet: two-databases
    internal sealed class RegionalCrawler([ServiceKey] string region, [FromKeyedServices] CrawlEventRepository events) : ICrawlHandler
    {
        public async Task HandleAsync(CrawlContext context, CancellationToken cancellationToken)
        {
            var stored = await events.CountAsync(context.Run.Id, cancellationToken: cancellationToken);
            var payload = Jsonb.From(new { region, stored });
            await context.WriteAsync(new NewCrawlEvent { EventType = "crawl.started", Payload = payload }, cancellationToken);
        }
    }

    // end snippet
    private sealed class RegionalAuditor : IAuditHandler
    {
        public Task HandleAsync(AuditContext context, CancellationToken cancellationToken) => Task.CompletedTask;
    }

    private sealed class Store : IArtifactStore
    {
        public ReceivedItems<string> Deleted { get; } = new();

        public Task<IReadOnlyList<ExpiredArtifact>> DeleteAsync(IReadOnlyList<ExpiredArtifact> artifacts, CancellationToken cancellationToken)
        {
            Deleted.Add(artifacts.Select(artifact => artifact.StorageUri));
            return Task.FromResult(artifacts);
        }
    }
}
