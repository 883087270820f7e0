using CrawlData.Tests.Servers;

namespace CrawlData.Tests.Faults;

[Category("Faults")]
public sealed class RestartTests : StreamFaultTest
{
    [Test]
    public async Task The_server_is_shut_down_at_once_and_started_again([Values(1, 100)] int crawls)
    {
        await using var server = await RestartableServer.StartAsync();
        var load = new Load(server.DataSource, server.DataSource, crawls);
        await RunAsync(load, async _ =>
        {
            for (var restart = 0; restart < 3; restart++)
            {
                await load.UntilAppendedAsync(50);
                await server.RestartAsync();
            }
        });
    }
}
