using CrawlData.Crawls;
using CrawlData.Schema;
using CrawlData.Tests.Schema;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Npgsql;

namespace CrawlData.Tests;

public sealed class DependencyInjectionTests : MigratorTest
{
    [Test]
    public async Task The_schema_is_migrated_before_any_other_hosted_service_starts()
    {
        using var host = BuildHost(_ => { }, crawlDataFirst: false);

        await host.StartAsync();

        Assert.That(host.Services.GetServices<IHostedService>().OfType<UsesRunsAtStart>().Single().Created, Is.Not.Null);
        await host.StopAsync();
    }

    [Test]
    public async Task Migration_at_start_can_be_turned_off()
    {
        using var host = BuildHost(options => options.MigrateAtStartup = false, crawlDataFirst: true);

        var exception = await Assert.ThrowsAsync<PostgresException>(() => host.StartAsync());

        Assert.That(exception!.SqlState, Is.EqualTo(PostgresErrorCodes.UndefinedTable));
        Assert.That(await ExistsAsync("crawldata_journal"), Is.False);
    }

    [Test]
    public async Task A_migration_that_fails_keeps_the_host_from_starting()
    {
        await ExecuteAsync("create table crawl_runs (id int)");
        using var host = BuildHost(_ => { }, crawlDataFirst: true);

        await Assert.ThrowsAsync<MigrationException>(() => host.StartAsync());
    }

    [Test]
    public void A_second_registration_changes_nothing()
    {
        var services = new ServiceCollection();
        services.AddCrawlData(options => options.MigrateAtStartup = false);
        var first = services.ToList();

        services.AddCrawlData();

        Assert.That(services, Is.EqualTo(first));
    }

    [Test]
    public async Task A_keyed_data_source_can_be_named()
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddKeyedSingleton("crawls", DataSource);
        builder.Services.AddCrawlData(options => options.DataSource = services => services.GetRequiredKeyedService<NpgsqlDataSource>("crawls"));
        using var host = builder.Build();

        await host.StartAsync();

        Assert.That(await host.Services.GetRequiredService<CrawlRunRepository>().GetAsync(Guid.CreateVersion7()), Is.Null);
        await host.StopAsync();
    }

    private IHost BuildHost(Action<CrawlDataOptions> configure, bool crawlDataFirst)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddSingleton(DataSource);
        if (crawlDataFirst)
        {
            builder.Services.AddCrawlData(configure);
        }

        builder.Services.AddHostedService<UsesRunsAtStart>();
        builder.Services.AddCrawlData(configure);
        return builder.Build();
    }

    private sealed class UsesRunsAtStart(CrawlRunRepository runs) : IHostedService
    {
        public CrawlRun? Created { get; private set; }

        public async Task StartAsync(CancellationToken cancellationToken) =>
            Created = await runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" }, cancellationToken: cancellationToken);

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
