using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

// snippet: crawler-host
using Microsoft.Extensions.Hosting;

// end snippet

namespace Examples;

internal static class CrawlerHost
{
    public static IHost Build(string[] args, Action<IServiceCollection> configure)
    {
        // snippet: crawler-host
        var builder = Host.CreateApplicationBuilder(args);
        builder.Services.AddSingleton<IScreens, Screens>();
        builder.Services.AddCrawlData(builder.Configuration.GetConnectionString("Crawls")!, options => options.Notify = true);
        builder.Services.AddCrawlWorker<Crawler>(options => options.Concurrency = 4);
        // end snippet
        configure(builder.Services);
        return builder.Build();
    }

    private sealed class Screens : IScreens
    {
        public Task<string> VisitAsync(string appPackage, int step, CancellationToken cancellationToken) => Task.FromResult($"screen {step}");
    }
}
