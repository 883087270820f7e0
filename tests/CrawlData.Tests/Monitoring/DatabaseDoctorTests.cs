using CrawlData.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CrawlData.Tests.Diagnostics;

public sealed class DatabaseDoctorTests : EmptiedDatabaseTest
{
    [Test]
    public async Task A_migrated_database_has_no_finding() => Assert.That(await CheckAsync(DataSource), Is.Empty);

    [TestCase("synchronous_commit=off", "synchronous_commit is off")]
    [TestCase("zero_damaged_pages=on", "zero_damaged_pages is on")]
    [TestCase("ignore_checksum_failure=on", "ignore_checksum_failure is on")]
    [TestCase("session_replication_role=replica", "session_replication_role is replica")]
    [TestCase("crawldata.disposable=off", "fsync is off", "full_page_writes is off")]
    public async Task A_setting_that_voids_a_promise_is_found(string setting, params string[] expected)
    {
        await using var dataSource = WithOptions($"-c {setting}");

        var findings = await CheckAsync(dataSource);

        Assert.That(findings.Select(finding => $"{finding.Subject} is {finding.Value}"), Is.EqualTo(expected));
        Assert.That(findings, Has.All.Property("Check").EqualTo("settings").And.All.Property("Effect").Not.Empty.And.All.Property("Remedy").Not.Empty);
    }

    [TestCase("alter database {0} set synchronous_commit to off", "synchronous_commit", "alter database {0} reset synchronous_commit")]
    [TestCase("alter role {1} set synchronous_commit to off", "synchronous_commit", "alter role {1} reset synchronous_commit")]
    [TestCase(
        "alter role {1} in database {0} set synchronous_commit to off", "synchronous_commit", "alter role {1} in database {0} reset synchronous_commit")]
    [TestCase("alter table crawl_logs set unlogged", "table crawl_logs", "alter table crawl_logs set logged")]
    [TestCase("grant create on schema public to public", "schema public", "revoke create on schema public from public")]
    [TestCase("grant create on schema public to {2}", "schema public", "revoke create on schema public from {2}")]
    [TestCase(
        """
        insert into crawl_runs (app_package) values ('org.example.app');
        insert into crawl_events (id, crawl_id, event_type, payload) select 1 + nextval('crawl_events_id_seq'), id, 'step', '{{}}' from crawl_runs
        """,
        "sequence crawl_events_id_seq",
        "select pg_catalog.setval('crawl_events_id_seq', (select max(id) from crawl_events))")]
    public async Task The_remedy_mends_what_is_found(string change, string subject, string remedy)
    {
        var (database, login, other) = (await ScalarAsync("select current_database()"), $"crawldata_{Guid.NewGuid():N}", $"crawldata_{Guid.NewGuid():N}");
        await ExecuteAsync(
            $"create role {login} login password 'of a test'; create role {other}; grant all on all tables in schema public to {login}; "
            + $"grant all on all sequences in schema public to {login}");
        try
        {
            await using var dataSource = NpgsqlDataSource.Create(
                new NpgsqlConnectionStringBuilder(Database.ConnectionString) { Username = login, Password = "of a test", Pooling = false });
            Assert.That(await CheckAsync(dataSource), Is.Empty);
            await ExecuteAsync(Format(change));

            var found = (await CheckAsync(dataSource)).Single();
            Assert.That((found.Subject, found.Remedy), Is.EqualTo((subject, Format(remedy))));

            await ExecuteAsync(found.Remedy);
            Assert.That(await CheckAsync(dataSource), Is.Empty);
        }
        finally
        {
            await ExecuteAsync($"drop owned by {login}, {other}; drop role {login}, {other}");
        }

        string Format(string text) => string.Format(System.Globalization.CultureInfo.InvariantCulture, text, database, login, other);
    }

    [Test]
    public async Task A_second_journal_on_the_search_path_is_found()
    {
        await ExecuteAsync("create schema tenant; create table tenant.crawldata_journal ()");
        await using var dataSource = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(Database.ConnectionString) { SearchPath = "public, tenant" });

        var found = (await CheckAsync(dataSource)).Single();

        Assert.That((found.Check, found.Subject), Is.EqualTo(("journals", "journal tenant.crawldata_journal")));
        Assert.That(await CheckAsync(DataSource), Is.Empty, "the schema is not on this path");
        await ExecuteAsync("drop schema tenant cascade");
    }

    [Test]
    public async Task The_health_check_is_degraded_and_describes_what_is_found()
    {
        await using var dataSource = WithOptions("-c synchronous_commit=off");
        var check = new CrawlDataHealthCheck(dataSource);

        var result = await check.CheckHealthAsync(
            new HealthCheckContext { Registration = new HealthCheckRegistration("crawldata", check, HealthStatus.Unhealthy, null) });

        Assert.That(
            (result.Status, result.Description),
            Is.EqualTo((
                HealthStatus.Degraded,
                "synchronous_commit is off. A crash of the server can lose acknowledged rows, and a reader of all crawls can miss events. "
                    + "crawldata doctor says how to mend it.")));
    }

    [Test]
    public async Task The_start_of_a_host_that_migrates_logs_what_is_found([Values] bool migrates)
    {
        var log = new LoggedEvents<DatabaseDoctor>(4);
        await using var dataSource = WithOptions("-c synchronous_commit=off");
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddSingleton(dataSource).AddSingleton<ILogger<DatabaseDoctor>>(log).AddCrawlData(options => options.MigrateAtStartup = migrates);
        using var host = builder.Build();

        await host.StartAsync();

        Assert.That(log.Received.Count, Is.EqualTo(migrates ? 1 : 0));
        await host.StopAsync();
    }

    private static Task<IReadOnlyList<DatabaseFinding>> CheckAsync(NpgsqlDataSource dataSource) => new DatabaseDoctor(dataSource).CheckAsync();

    private NpgsqlDataSource WithOptions(string options) =>
        NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(Database.ConnectionString) { Options = options });

    private async Task<string> ScalarAsync(string sql) => (await QueryAsync<string>(sql)).Single();
}
