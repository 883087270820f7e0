using System.Net;
using CrawlData.Crawls;
using CrawlData.Tests;
using CrawlData.Tests.Servers;
using Microsoft.Extensions.DependencyInjection;

namespace CrawlData.Dashboard.Tests.Live;

/// <summary>A dashboard whose database server stops and starts. It needs the server's programs.</summary>
public sealed class RestartedServerTests
{
    [Test]
    public async Task The_host_stays_up_and_a_stream_goes_on_after_its_last_event()
    {
        await using var server = await RestartableServer.StartAsync();
        await using var host = await DashboardHost.StartAsync(
            server.DataSource,
            options => options.StatementTimeout = TimeSpan.FromMinutes(1),
            services: services =>
            {
                // The core gives up at once, so the stream itself goes on.
                services.Configure<CrawlDataOptions>(options => options.Retry.Limit = TimeSpan.Zero);
            });
        var (runs, events) = (new CrawlRunRepository(server.DataSource), new CrawlEventRepository(server.DataSource));
        var run = (await runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" })).Id;
        (await runs.StartAsync(run)).EnsureApplied();
        var ids = new List<long>(await events.AppendAsync(run, EventsOf(3)));
        await using var viewer = await StreamViewer.ConnectAsync(host, run);
        await viewer.UntilAsync(ids.Count);

        // As in a crash, and as an operator does it.
        foreach (var mode in new[] { "immediate", "fast" })
        {
            await server.StopAsync(mode);
            var refused = await host.GetPageAsync($"runs/{run}", HttpStatusCode.ServiceUnavailable);
            Assert.That(refused.QuerySelector("h1")!.TextContent, Is.EqualTo("The database cannot be reached"));
            await server.RestartAsync();

            ids.AddRange(await events.AppendAsync(run, EventsOf(700)));
            await viewer.UntilAsync(ids.Count);

            // Connections of the pool that the stop has ended are replaced when they are used.
            await Wait.UntilAsync(
                async () =>
                {
                    using var response = await host.Client.GetAsync(new Uri($"runs/{run}", UriKind.Relative));
                    return response.StatusCode == HttpStatusCode.OK;
                },
                "the page is shown again");
        }

        (await runs.CompleteAsync(run)).EnsureApplied();
        Assert.That(await viewer.UntilEndedAsync());
        Assert.That(viewer.Ids.ToList(), Is.EqualTo(ids), "each once, in one stream");
        Assert.That(viewer.Messages.ToList()[^1].Event, Is.EqualTo("end"));
    }

    private static IEnumerable<NewCrawlEvent> EventsOf(int count) =>
        Enumerable.Range(0, count).Select(number => new NewCrawlEvent { EventType = "step", Payload = Jsonb.From(new { number }) });
}
