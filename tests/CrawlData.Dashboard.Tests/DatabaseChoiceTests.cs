using CrawlData.Crawls;
using CrawlData.Tests;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace CrawlData.Dashboard.Tests;

/// <summary>A dashboard shows the database that the services of AddCrawlData use.</summary>
public sealed class DatabaseChoiceTests : DatabaseTest
{
    [Test]
    public async Task A_key_chooses_one_of_several_databases()
    {
        await using var elsewhere = NpgsqlDataSource.Create("Host=127.0.0.1;Port=1;Username=nobody;Database=nothing");
        var run = await Runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.keyed" });
        await using var host = await DashboardHost.StartAsync(
            elsewhere,
            services: services => services.AddKeyedCrawlData("eu", Database.ConnectionString, options => options.MigrateAtStartup = false),
            map: application => application.MapCrawlDataDashboard("/crawls", options => options.ServiceKey = "eu"));

        foreach (var address in new[] { "", "runs?app=org.example.keyed", $"runs/{run.Id}", "artifacts", "status" })
        {
            await host.GetPageAsync(address);
        }
    }

    [Test]
    public async Task A_data_source_of_several_hosts_is_read([Values] bool readFromStandby)
    {
        var own = new NpgsqlConnectionStringBuilder(Database.ConnectionString);
        own.Host = $"{own.Host}:{own.Port},{own.Host}:{own.Port}";
        await using var dataSource = new NpgsqlDataSourceBuilder(own.ConnectionString).BuildMultiHost();
        await using var host = await DashboardHost.StartAsync(
            dataSource, services: services => services.Configure<CrawlDataOptions>(options => options.ReadFromStandby = readFromStandby));

        foreach (var address in new[] { "", "runs", "sessions", "artifacts", "status" })
        {
            await host.GetPageAsync(address);
        }
    }
}
