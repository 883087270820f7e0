using CrawlData.Crawls;
using CrawlData.Workers;
using Examples;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace CrawlData.Tests.Workers;

/// <summary>A process with a hosted worker on runs, until it is killed or stopped.</summary>
internal static class WorkingProcess
{
    /// <summary>The worker of the recipe, with options that shorten its times.</summary>
    public const string Recipe = "recipe";

    /// <summary>A worker that awaits each event, and writes a line for each that was acknowledged.</summary>
    public const string Acknowledging = "acknowledging";

    public static readonly TimeSpan StaleAfter = TimeSpan.FromSeconds(3);

    /// <param name="arguments">Which worker, and the connection string.</param>
    public static async Task<int> RunAsync(string[] arguments)
    {
        if (arguments is not [var worker, var connectionString])
        {
            return 2;
        }

        using var host = worker == Recipe ? CrawlerHost.Build([$"--ConnectionStrings:Crawls={connectionString}"], Shorten) : Build(connectionString);
        await host.RunAsync();
        return 0;
    }

    private static IHost Build(string connectionString)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Services.AddCrawlData(connectionString, options => options.Notify = true);
        builder.Services.AddCrawlWorker<AcknowledgingCrawler>(options => options.Concurrency = 2);
        Shorten(builder.Services);
        return builder.Build();
    }

    private static void Shorten(IServiceCollection services)
    {
        services.AddLogging(logging => logging.ClearProviders()).AddSingleton<IScreens, SlowScreens>();
        services.Configure<CrawlDataOptions>(options => options.MigrateAtStartup = false);
        services.Configure<WorkerOptions>(WorkerOptions.Crawls, options =>
        {
            options.PollInterval = TimeSpan.FromMilliseconds(500);
            options.StaleAfter = StaleAfter;
            options.MaxAttempts = 1_000;
            options.RetryDelay = TimeSpan.FromMilliseconds(100);
            options.LongestRetryDelay = TimeSpan.FromSeconds(1);
            options.ShutdownTimeout = TimeSpan.FromMilliseconds(500);
        });
    }

    private sealed class SlowScreens : IScreens
    {
        public async Task<string> VisitAsync(string appPackage, int step, CancellationToken cancellationToken)
        {
            await Task.Delay(Random.Shared.Next(150), cancellationToken);
            return $"screen {step}";
        }
    }

    private sealed class AcknowledgingCrawler(IScreens screens, CrawlEventRepository events) : ICrawlHandler
    {
        private static readonly Lock Output = new();

        public async Task HandleAsync(CrawlContext context, CancellationToken cancellationToken)
        {
            for (var step = (int)await events.CountAsync(context.Run.Id, cancellationToken: cancellationToken) + 1; step <= context.Run.MaxSteps; step++)
            {
                await screens.VisitAsync(context.Run.AppPackage, step, cancellationToken);
                var id = await context.AppendAsync(new NewCrawlEvent { EventType = "screen.seen", Payload = Jsonb.From(new { step }) }, cancellationToken);
                lock (Output)
                {
                    // A process that is killed may leave half a line.
                    Console.Out.WriteLine($"{context.Run.Id} {step} {id} .");
                    Console.Out.Flush();
                }
            }
        }
    }
}
