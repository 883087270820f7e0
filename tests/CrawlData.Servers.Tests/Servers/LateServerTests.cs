using CrawlData.Crawls;
using CrawlData.Schema;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace CrawlData.Tests.Servers;

public sealed class LateServerTests
{
    [Test]
    public async Task A_host_that_starts_before_its_server_waits_for_it()
    {
        await using var server = await RestartableServer.StartAsync();
        await server.StopAsync("fast");
        var retries = new LoggedEvents<SchemaMigrator>(10);
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddSingleton<ILogger<SchemaMigrator>>(retries);
        builder.Services.AddCrawlData(server.ConnectionString, options => options.Retry.Limit = TimeSpan.FromMinutes(1));
        using var host = builder.Build();

        var starting = host.StartAsync();
        await retries.Received.UntilCountAsync(1);
        await server.RestartAsync();
        await starting.WaitAsync(TimeSpan.FromMinutes(1));

        Assert.That(retries.Received.ToList()[0], Does.Contain("SocketException"), "the connection was refused");
        Assert.That((await host.Services.GetRequiredService<CrawlRunRepository>().ListAsync()).Items, Is.Empty);
        await host.StopAsync();
    }
}
