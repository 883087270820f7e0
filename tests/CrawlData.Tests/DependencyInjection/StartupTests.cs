using System.Text;
using CrawlData.Schema;
using CrawlData.Tests.Faults;
using CrawlData.Tests.Schema;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CrawlData.Tests;

/// <summary>A host that starts before its server does.</summary>
public sealed class StartupTests : MigratorTest
{
    // An ErrorResponse, of 62 bytes.
    private static readonly byte[] Starting =
    [
        (byte)'E', 0, 0, 0, 62, .. Encoding.ASCII.GetBytes("SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0"),
    ];

    [Test]
    public async Task A_host_waits_for_a_server_that_answers_that_it_is_starting_up() =>
        await AssertWaitsAsync(Starting, PostgresErrorCodes.CannotConnectNow);

    [Test]
    public async Task A_host_waits_for_a_server_that_drops_its_connection() => await AssertWaitsAsync([], "System.IO.");

    [Test]
    public async Task A_host_waits_no_longer_than_the_limit_of_retries()
    {
        await using var proxy = new FaultProxy(Database.ConnectionString) { Down = true, LastWords = Starting };
        var (host, _) = Build(proxy, TimeSpan.Zero);
        using (host)
        {
            await Assert.ThatAsync(() => host.StartAsync(), Throws.InstanceOf<PostgresException>().With.Property("SqlState").EqualTo("57P03"));
        }
    }

    [Test]
    public async Task An_error_that_stays_is_not_retried()
    {
        await using var proxy = new FaultProxy(Database.ConnectionString);
        var (host, retries) = Build(proxy, TimeSpan.FromMinutes(1), settings => settings.Database = "nowhere");
        using (host)
        {
            await Assert.ThatAsync(() => host.StartAsync(), Throws.InstanceOf<PostgresException>().With.Property("SqlState").EqualTo("3D000"));
        }

        Assert.That(retries.Received.Count, Is.Zero);
    }

    private async Task AssertWaitsAsync(byte[] lastWords, string error)
    {
        await using var proxy = new FaultProxy(Database.ConnectionString) { Down = true, LastWords = lastWords };
        var (host, retries) = Build(proxy, TimeSpan.FromMinutes(1));
        using (host)
        {
            var starting = host.StartAsync();
            await retries.Received.UntilCountAsync(2);
            Assert.That(starting.IsCompleted, Is.False);
            Assert.That(retries.Received.ToList()[0], Does.Contain(error).And.Contain("crawldata_journal"));

            proxy.Down = false;
            await starting.WaitAsync(Wait.Longest);
            Assert.That(await ExistsAsync("crawl_runs"));
            await host.StopAsync();
        }
    }

    private (IHost Host, LoggedEvents<SchemaMigrator> Retries) Build(
        FaultProxy proxy, TimeSpan limit, Action<NpgsqlConnectionStringBuilder>? configure = null)
    {
        var retries = new LoggedEvents<SchemaMigrator>(10);
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddSingleton<ILogger<SchemaMigrator>>(retries);
        builder.Services.AddSingleton(_ => proxy.CreateDataSource(Database.ConnectionString, configure));
        builder.Services.AddCrawlData(options => options.Retry.Limit = limit);
        return (builder.Build(), retries);
    }
}
