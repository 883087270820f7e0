using CrawlData.Crawls;
using CrawlData.Schema;
using CrawlData.Tests.Schema;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
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
    public async Task A_failed_migration_prevents_the_host_from_starting()
    {
        await ExecuteAsync("create table crawl_runs (id int)");
        using var host = BuildHost(_ => { }, crawlDataFirst: true);

        await Assert.ThrowsAsync<MigrationException>(() => host.StartAsync());
    }

    [Test]
    public async Task A_second_registration_only_sets_options()
    {
        var services = new ServiceCollection();
        services.AddSingleton(DataSource).AddCrawlData(options => (options.MigrateAtStartup, options.Notify) = (false, true));

        services.AddCrawlData(options => options.MigrateAtStartup = true);

        await using var provider = services.BuildServiceProvider();
        var options = provider.GetRequiredService<IOptions<CrawlDataOptions>>().Value;
        Assert.That((options.MigrateAtStartup, options.Notify), Is.EqualTo((true, true)));
        Assert.That(services.Where(service => service.ServiceType.Assembly == typeof(CrawlRun).Assembly).Select(service => service.ServiceType), Is.Unique);
        Assert.That(services.Count(service => service.ServiceType == typeof(IHostedService)), Is.EqualTo(2));
    }

    [Test]
    public async Task A_second_registered_data_source_is_refused()
    {
        await using var other = NpgsqlDataSource.Create(Database.ConnectionString);
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddSingleton(DataSource).AddCrawlData();
        builder.Services.AddSingleton(other).AddCrawlData();
        using var host = builder.Build();

        await Assert.ThatAsync(() => host.StartAsync(), Throws.InvalidOperationException.With.Message.Contains("two data sources"));
    }

    [Test]
    public async Task A_second_data_source_in_the_options_is_refused([Values] bool connectionString)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddCrawlData(options => options.DataSource = _ => DataSource);
        if (connectionString)
        {
            builder.Services.AddCrawlData(Database.ConnectionString);
        }
        else
        {
            builder.Services.AddCrawlData(options => options.DataSource = _ => Database.DataSource);
        }

        using var host = builder.Build();

        await Assert.ThatAsync(() => host.StartAsync(), Throws.InvalidOperationException.With.Message.Contains("two data sources"));
    }

    [Test]
    public async Task A_data_source_of_something_else_is_left_alone()
    {
        await using var other = NpgsqlDataSource.Create("Host=127.0.0.1;Port=1;Database=of_something_else");
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddSingleton(DataSource).AddCrawlData(options => options.DataSource = _ => DataSource);
        builder.Services.AddSingleton(other).AddCrawlData(options => options.Notify = true);
        using var host = builder.Build();

        await host.StartAsync();
        await host.StopAsync();
    }

    [Test]
    public void A_second_connection_string_is_refused()
    {
        var services = new ServiceCollection().AddCrawlData();

        services.AddCrawlData(Database.ConnectionString);

        Assert.That(() => services.AddCrawlData(Database.ConnectionString), Throws.InvalidOperationException);
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

    [Test]
    public async Task A_connection_string_alone_registers_everything()
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddCrawlData(Database.ConnectionString);
        using var host = builder.Build();

        await host.StartAsync();

        var run = await host.Services.GetRequiredService<CrawlRunRepository>().InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" });
        Assert.That(await new CrawlRunRepository(host.Services.GetRequiredService<NpgsqlDataSource>()).GetAsync(run.Id), Is.EqualTo(run));
        await host.StopAsync();
    }

    [Test]
    public async Task A_connection_string_leaves_the_application_s_own_data_source_alone()
    {
        await using var own = NpgsqlDataSource.Create("Host=127.0.0.1;Port=1;Database=of_something_else");
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddCrawlData(Database.ConnectionString);
        builder.Services.AddSingleton(own);
        using var host = builder.Build();

        await host.StartAsync();

        Assert.That(host.Services.GetRequiredService<NpgsqlDataSource>(), Is.SameAs(own));
        Assert.That(await host.Services.GetRequiredService<CrawlRunRepository>().GetAsync(Guid.CreateVersion7()), Is.Null);
        await host.StopAsync();
    }

    [TestCase("Host=localhost;Password=a secret;Unheard=of")]
    [TestCase("postgresql://me:a secret@localhost/crawls")]
    [TestCase("Password=a secret;Port=many")]
    [TestCase("Password=a secret")]
    public void An_invalid_connection_string_is_refused_at_once_and_not_shown(string connectionString)
    {
        var exception = Assert.Throws<InvalidValueException>(() => new ServiceCollection().AddCrawlData(connectionString));

        Assert.That(exception!.Field, Is.EqualTo("connection_string"));
        Assert.That(exception.ToString(), Does.Not.Contain("a secret"));
    }

    [Test]
    public async Task Options_come_from_configuration_too()
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["CrawlData:MigrateAtStartup"] = "false",
            ["CrawlData:Retry:Limit"] = "00:00:05",
            ["CrawlData:Writer:BatchSize"] = "17",
        });
        builder.Services.AddSingleton(DataSource).AddCrawlData().Configure<CrawlDataOptions>(builder.Configuration.GetSection("CrawlData"));
        using var host = builder.Build();

        await host.StartAsync();

        var options = host.Services.GetRequiredService<IOptions<CrawlDataOptions>>().Value;
        Assert.That((options.MigrateAtStartup, options.Retry.Limit, options.Writer.BatchSize), Is.EqualTo((false, TimeSpan.FromSeconds(5), 17)));
        Assert.That(await ExistsAsync("crawl_runs"), Is.False);
        await host.StopAsync();
    }

    [Test]
    public async Task An_option_out_of_range_is_named_and_prevents_the_host_from_starting()
    {
        using var host = BuildHost(options => options.Writer.Linger = TimeSpan.FromHours(1), crawlDataFirst: true);

        var exception = await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => host.StartAsync());

        Assert.That(exception!.ParamName, Is.EqualTo("Linger"));
    }

    [Test]
    public async Task A_missing_data_source_is_named_and_prevents_the_host_from_starting()
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddCrawlData();
        using var host = builder.Build();

        await Assert.ThatAsync(() => host.StartAsync(), Throws.InvalidOperationException.With.Message.Contains("NpgsqlDataSource"));
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
