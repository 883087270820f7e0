// snippet: worker
using CrawlData;
using CrawlData.Crawls;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
// end snippet

namespace Examples;

// snippet: worker
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
                    // One of the workers that try starts it.
                    if ((await runs.StartAsync(run.Id, cancellationToken: stoppingToken)).Outcome == TransitionOutcome.Applied)
                    {
                        await CrawlAsync(run, stoppingToken);
                    }
                }
            }
            catch (NpgsqlException exception) when (!stoppingToken.IsCancellationRequested)
            {
                // Only appends and followers retry by themselves.
                logger.LogWarning(exception, "The database is not available.");
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

            // Before the run ends: its followers stop there.
            await events.FlushAsync(run.Id, stoppingToken);
            await runs.CompleteAsync(run.Id, cancellationToken: CancellationToken.None);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            await events.FlushAsync(run.Id, CancellationToken.None);
            await runs.CancelAsync(run.Id, cancellationToken: CancellationToken.None);
            throw;
        }
        catch (Exception exception)
        {
            logger.LogError(exception, "Crawl {CrawlId} failed.", run.Id);
            try
            {
                await events.FlushAsync(run.Id, CancellationToken.None);
            }
            catch (CrawlEventsNotStoredException)
            {
                // Each flush of this crawl throws until these events are taken.
                foreach (var unstored in events.TakeUnstored(run.Id))
                {
                    logger.LogError(unstored.Error, "An event of crawl {CrawlId} could not be stored.", unstored.CrawlId);
                }
            }

            await runs.FailAsync(run.Id, CrawledText.Repair(exception.Message), cancellationToken: CancellationToken.None);
        }
    }
}
// end snippet
