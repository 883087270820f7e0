using CrawlData.Diagnostics;
using CrawlData.Schema;
using CrawlData.Tests.Schema;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Npgsql;

namespace CrawlData.Tests.Diagnostics;

public sealed class CrawlDataHealthCheckTests : MigratorTest
{
    [Test]
    public async Task A_migrated_database_is_healthy()
    {
        await new SchemaMigrator(DataSource).MigrateAsync();

        Assert.That((await CheckAsync(DataSource)).Status, Is.EqualTo(HealthStatus.Healthy));
    }

    [Test]
    public async Task A_schema_with_pending_scripts_is_unhealthy_and_they_are_named()
    {
        var result = await CheckAsync(DataSource);

        Assert.That(result.Status, Is.EqualTo(HealthStatus.Unhealthy));
        Assert.That(result.Description, Does.Contain(AllScripts[0]).And.Contain(AllScripts[^1]));
    }

    [Test]
    public async Task A_script_that_was_edited_after_it_ran_is_unhealthy()
    {
        await new SchemaMigrator(DataSource).MigrateAsync();
        await ExecuteAsync("update crawldata_journal set script_hash = 'another' where script_name = '002_audit_schema.sql'");

        Assert.That((await CheckAsync(DataSource)).Description, Does.Contain("002_audit_schema.sql"));
    }

    [Test]
    public async Task A_read_only_database_is_unhealthy_unless_no_writes_are_expected()
    {
        await new SchemaMigrator(DataSource).MigrateAsync();
        var settings = new NpgsqlConnectionStringBuilder(Database.ConnectionString) { Options = "-c default_transaction_read_only=on" };
        await using var readOnly = NpgsqlDataSource.Create(settings);

        Assert.That((await CheckAsync(readOnly)).Description, Does.Contain("takes no writes"));
        Assert.That((await CheckAsync(readOnly, expectWrites: false)).Status, Is.EqualTo(HealthStatus.Healthy));
    }

    [Test]
    public async Task An_unreachable_database_is_unhealthy_and_the_description_has_no_secret()
    {
        await using var wrong = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(Database.ConnectionString) { Password = "not the password" });
        await using var nowhere = NpgsqlDataSource.Create("Host=127.0.0.1;Port=1;Username=me;Password=a secret;Database=crawls");

        var (refused, unreachable) = (await CheckAsync(wrong), await CheckAsync(nowhere));

        Assert.That((refused.Status, refused.Description), Is.EqualTo((HealthStatus.Unhealthy, "The database cannot be used: 28P01.")));
        Assert.That(unreachable.Description, Does.Contain("SocketException"));
        Assert.That($"{refused.Exception} {unreachable.Exception}", Does.Not.Contain("not the password").And.Not.Contain("a secret"));
    }

    [Test]
    public async Task Without_the_right_to_read_the_journal_the_check_is_degraded_and_says_why()
    {
        await new SchemaMigrator(DataSource).MigrateAsync();
        var role = $"crawldata_blind_{Guid.NewGuid():N}";
        await ExecuteAsync($"create role {role} login password 'blind'");
        try
        {
            await using var blind = NpgsqlDataSource.Create(
                new NpgsqlConnectionStringBuilder(Database.ConnectionString) { Username = role, Password = "blind", Pooling = false });

            var result = await CheckAsync(blind);

            Assert.That(
                (result.Status, result.Description),
                Is.EqualTo((HealthStatus.Degraded, "The role may not read crawldata_journal. It is unknown whether the schema is up to date.")));
        }
        finally
        {
            await ExecuteAsync($"drop role {role}");
        }
    }

    [Test]
    public async Task The_check_is_registered_with_the_options_and_the_registration_sets_the_failure_status()
    {
        var services = new ServiceCollection();
        services.AddSingleton(DataSource).AddCrawlData(options => options.ExpectWrites = false).AddLogging();
        services.AddHealthChecks().AddCheck<CrawlDataHealthCheck>("crawldata", failureStatus: HealthStatus.Degraded);
        await using var provider = services.BuildServiceProvider();

        var report = await provider.GetRequiredService<HealthCheckService>().CheckHealthAsync();

        Assert.That(report.Entries["crawldata"].Status, Is.EqualTo(HealthStatus.Degraded));
        Assert.That(report.Entries["crawldata"].Description, Does.Contain("not up to date"));
    }

    private static Task<HealthCheckResult> CheckAsync(NpgsqlDataSource dataSource, bool expectWrites = true)
    {
        var check = new CrawlDataHealthCheck(dataSource, expectWrites);
        return check.CheckHealthAsync(new HealthCheckContext { Registration = new HealthCheckRegistration("crawldata", check, HealthStatus.Unhealthy, null) });
    }
}
