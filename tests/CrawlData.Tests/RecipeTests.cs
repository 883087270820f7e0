using System.Diagnostics;
using CrawlData.Crawls;
using CrawlData.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CrawlData.Tests;

/// <summary>The README's recipes as they stand there: <see cref="ReadmeTests"/> compares them.</summary>
public sealed class RecipeTests : EmptiedDatabaseTest
{
    [Test]
    public async Task Workers_crawl_each_pending_run_once_and_what_they_wrote_is_there_before_it_ends()
    {
        var pending = new List<Guid>();
        for (var number = 0; number < 6; number++)
        {
            pending.Add((await Runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app", MaxSteps = 5 })).Id);
        }

        using var one = BuildWorker();
        using var other = BuildWorker();
        await Task.WhenAll(one.StartAsync(), other.StartAsync());
        foreach (var run in pending)
        {
            var events = await Events.FollowAsync(run).ToListAsync();

            Assert.That(events.Select(crawlEvent => crawlEvent.Payload.ToElement().GetProperty("step").GetInt32()), Is.EqualTo(Enumerable.Range(1, 5)));
            Assert.That((await Runs.GetAsync(run))!.Status, Is.EqualTo(CrawlStatus.Completed));
        }

        await Task.WhenAll(one.StopAsync(), other.StopAsync());
    }

    [Test]
    public async Task A_crawl_that_fails_is_told_and_keeps_what_it_had_found()
    {
        var run = (await Runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.broken", MaxSteps = 5 })).Id;

        using var worker = BuildWorker();
        await worker.StartAsync();
        Assert.That(await Events.FollowAsync(run).CountAsync(), Is.EqualTo(2));
        await worker.StopAsync();

        var failed = (await Runs.GetAsync(run))!;
        Assert.That((failed.Status, failed.ErrorMessage), Is.EqualTo((CrawlStatus.Failed, "the screen is black")));
    }

    [Test]
    public async Task A_run_that_is_deleted_while_it_is_crawled_takes_no_other_with_it()
    {
        var deleted = (await Runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.deleted", MaxSteps = 3 })).Id;
        var other = (await Runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app", MaxSteps = 3 })).Id;

        using var worker = BuildWorker();
        await worker.StartAsync();
        while ((await Runs.GetAsync(deleted))?.Status == CrawlStatus.Pending)
        {
            await Task.Delay(5);
        }

        await Runs.DeleteAsync(deleted);

        Assert.That(await Events.FollowAsync(other).CountAsync(), Is.EqualTo(3));
        await worker.StopAsync();
    }

    [Test]
    public async Task A_crawl_that_is_interrupted_by_shutdown_is_cancelled()
    {
        var run = (await Runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.slow", MaxSteps = 5 })).Id;

        using var worker = BuildWorker();
        await worker.StartAsync();
        for (var watch = Stopwatch.StartNew(); await Events.CountAsync(run) == 0 && watch.Elapsed < TimeSpan.FromSeconds(10); await Task.Delay(20))
        {
        }

        await worker.StopAsync();

        Assert.That((await Runs.GetAsync(run))!.Status, Is.EqualTo(CrawlStatus.Cancelled));
    }

    // README tests
    [Test]
    public async Task The_crawler_stores_every_screen()
    {
        await using var database = await ThrowawayDatabase.StartAsync();
        var builder = Host.CreateApplicationBuilder();
        builder.Services.AddCrawlData(database.ConnectionString);
        builder.Services.AddSingleton<IScreens, Screens>();
        builder.Services.AddHostedService<CrawlWorker>();
        using var host = builder.Build();
        var run = await new CrawlRunRepository(database.DataSource).InsertAsync(new NewCrawlRun { AppPackage = "org.example.app", MaxSteps = 3 });

        await host.StartAsync();
        var events = await new CrawlEventRepository(database.DataSource).FollowAsync(run.Id).ToListAsync();
        await host.StopAsync();

        Assert.That(events.Select(crawlEvent => crawlEvent.EventType), Is.EqualTo(Enumerable.Repeat("screen.seen", 3)));
    }
    // README has tested

    private IHost BuildWorker()
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddCrawlData(Database.ConnectionString);
        builder.Services.AddSingleton<IScreens, Screens>();
        builder.Services.AddHostedService<CrawlWorker>();
        return builder.Build();
    }

    private sealed class Screens : IScreens
    {
        public async Task<string> VisitAsync(string appPackage, int step, CancellationToken cancellationToken)
        {
            if (appPackage == "org.example.slow" && step > 1)
            {
                await Task.Delay(TimeSpan.FromMinutes(1), cancellationToken);
            }

            if (appPackage == "org.example.deleted")
            {
                await Task.Delay(TimeSpan.FromMilliseconds(200), cancellationToken);
            }

            return appPackage == "org.example.broken" && step > 2 ? throw new InvalidOperationException("the screen is black") : $"screen {step} \ud800";
        }
    }
}

public interface IScreens
{
    Task<string> VisitAsync(string appPackage, int step, CancellationToken cancellationToken);
}

// README crawls
public sealed class CrawlWorker(CrawlRunRepository runs, CrawlEventWriter events, IScreens screens, ILogger<CrawlWorker> logger) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var pending = new CrawlRunFilter { Statuses = [CrawlStatus.Pending] };
        while (true)
        {
            try
            {
                foreach (var run in (await runs.ListAsync(pending, order: ListOrder.OldestFirst, cancellationToken: stoppingToken)).Items)
                {
                    // Of all workers that try, one starts it.
                    if ((await runs.StartAsync(run.Id, cancellationToken: stoppingToken)).Outcome == TransitionOutcome.Applied)
                    {
                        await CrawlAsync(run, stoppingToken);
                    }
                }
            }
            catch (NpgsqlException exception) when (!stoppingToken.IsCancellationRequested)
            {
                // Only appends and those who follow try again by themselves.
                logger.LogWarning(exception, "The database cannot be worked with for now.");
            }

            await Task.Delay(TimeSpan.FromSeconds(1), stoppingToken);
        }
    }

    private async Task CrawlAsync(CrawlRun run, CancellationToken stoppingToken)
    {
        try
        {
            for (var step = 1; step <= run.MaxSteps; step++)
            {
                var text = await screens.VisitAsync(run.AppPackage, step, stoppingToken);
                var payload = Jsonb.From(new { step, text }, options: new JsonbOptions { Repair = true });
                await events.WriteAsync(run.Id, new NewCrawlEvent { EventType = "screen.seen", Payload = payload }, stoppingToken);
            }

            // Before the run ends: who follows it stops there.
            await events.FlushAsync(stoppingToken);
            await runs.CompleteAsync(run.Id, cancellationToken: CancellationToken.None);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            await events.FlushAsync(CancellationToken.None);
            await runs.CancelAsync(run.Id, cancellationToken: CancellationToken.None);
            throw;
        }
        catch (Exception exception)
        {
            logger.LogError(exception, "Crawl {CrawlId} failed.", run.Id);
            try
            {
                await events.FlushAsync(CancellationToken.None);
            }
            catch (CrawlEventsNotStoredException)
            {
                // All crawls share the writer: until these are taken, every flush throws.
                foreach (var unstored in events.TakeUnstored())
                {
                    logger.LogError(unstored.Error, "An event of crawl {CrawlId} could not be stored.", unstored.CrawlId);
                }
            }

            await runs.FailAsync(run.Id, CrawledText.Repair(exception.Message), cancellationToken: CancellationToken.None);
        }
    }
}
// README has crawled
