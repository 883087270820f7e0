using System.Collections.Concurrent;
using CrawlData.Diagnostics;
using CrawlData.Schema;
using CrawlData.Tests.Schema;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
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
        Assert.That($"{refused.Description} {unreachable.Description}", Does.Not.Contain("not the password").And.Not.Contain("a secret"));
    }

    /// <summary>Response writers print what the health check service reports.</summary>
    [Test]
    public async Task An_exception_is_logged_and_not_reported()
    {
        var settings = new NpgsqlConnectionStringBuilder(Database.ConnectionString);
        await using var wrong = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(Database.ConnectionString) { Password = "not the password" });
        await using var nowhere = NpgsqlDataSource.Create("Host=127.0.0.1;Port=1;Username=me;Database=crawls");
        var disposed = NpgsqlDataSource.Create(Database.ConnectionString);
        await disposed.DisposeAsync();
        await new SchemaMigrator(DataSource).MigrateAsync();
        await ExecuteAsync("update crawldata_journal set script_hash = 'another' where script_name = '002_audit_schema.sql'");

        foreach (var dataSource in new[] { wrong, nowhere, disposed, DataSource })
        {
            using var log = new LoggedExceptions();
            using var services = new ServiceCollection().AddSingleton(dataSource).AddLogging(logging => logging.AddProvider(log)).AddCrawlData()
                .AddHealthChecks().AddCheck<CrawlDataHealthCheck>("crawldata").Services.BuildServiceProvider();

            var entry = (await services.GetRequiredService<HealthCheckService>().CheckHealthAsync()).Entries["crawldata"];

            Assert.That((entry.Status, entry.Exception), Is.EqualTo((HealthStatus.Unhealthy, (Exception?)null)), entry.Description);
            Assert.That(entry.Description, Does.Not.Contain("127.0.0.1").And.Not.Contain($"\"{settings.Username}\"").And.Not.Contain("select"));
            Assert.That(log.Exceptions, Has.Count.EqualTo(1));
        }
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

    private sealed class LoggedExceptions : ILoggerProvider, ILogger
    {
        public ConcurrentQueue<Exception> Exceptions { get; } = [];

        public ILogger CreateLogger(string categoryName) => categoryName.StartsWith("CrawlData.", StringComparison.Ordinal) ? this : NullLogger.Instance;

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (exception is not null)
            {
                Exceptions.Enqueue(exception);
            }
        }

        public void Dispose()
        {
        }
    }
}
