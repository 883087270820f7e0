// snippet: crawler-test
using CrawlData.Crawls;
using CrawlData.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
// end snippet

namespace Examples;

// snippet: crawler-test
public sealed class CrawlerTests
{
    [Test]
    public async Task The_crawler_stores_every_screen()
    {
        await using var database = await ThrowawayDatabase.StartAsync();
        var builder = Host.CreateApplicationBuilder();
        builder.Services.AddCrawlData(database.ConnectionString);
        builder.Services.AddSingleton<IScreens, FakeScreens>();
        builder.Services.AddCrawlWorker<Crawler>();
        using var host = builder.Build();
        var run = await new CrawlRunRepository(database.DataSource).InsertAsync(new NewCrawlRun { AppPackage = "org.example.app", MaxSteps = 3 });

        await host.StartAsync();
        var events = await new CrawlEventRepository(database.DataSource).FollowAsync(run.Id).ToListAsync();
        await host.StopAsync();

        Assert.That(events.Select(crawlEvent => crawlEvent.EventType), Is.EqualTo(Enumerable.Repeat("screen.seen", 3)));
    }

    private sealed class FakeScreens : IScreens
    {
        public Task<string> VisitAsync(string appPackage, int step, CancellationToken cancellationToken) => Task.FromResult($"screen {step}");
    }
}
// end snippet
