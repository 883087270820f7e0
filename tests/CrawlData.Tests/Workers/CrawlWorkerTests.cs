using CrawlData.Crawls;
using CrawlData.Workers;
using Examples;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace CrawlData.Tests.Workers;

/// <summary>The recipe's crawler in a hosted worker on runs.</summary>
public sealed class CrawlWorkerTests : EmptiedDatabaseTest
{

    private Screens screens = null!;

    [SetUp]
    public void MakeScreens() => screens = new();

    [Test]
    public async Task Workers_crawl_each_pending_run_once_and_store_its_events_before_it_ends()
    {
        using var one = await StartAsync();
        using var other = await StartAsync();
        var pending = new List<Guid>();
        for (var number = 0; number < 6; number++)
        {
            pending.Add(await InsertAsync("org.example.app"));
        }

        foreach (var run in pending)
        {
            var events = await Events.FollowAsync(run).ToListAsync();

            Assert.That(events.Select(crawlEvent => crawlEvent.Payload.ToElement().GetProperty("step").GetInt32()), Is.EqualTo(Enumerable.Range(1, 5)));
            Assert.That((await Runs.GetAsync(run))!.Status, Is.EqualTo(CrawlStatus.Completed));
        }

        await Task.WhenAll(one.StopAsync(), other.StopAsync());
    }

    [Test]
    public async Task A_crawl_that_fails_keeps_its_events_and_its_error_and_is_retried_by_new_runs()
    {
        var run = await InsertAsync("org.example.broken");
        using var worker = await StartAsync(options => (options.MaxAttempts, options.RetryDelay) = (3, TimeSpan.Zero));

        await UntilAsync("select count(*) = 3 from crawl_runs where status = 'FAILED'");
        await worker.StopAsync();

        var failed = (await Runs.GetAsync(run))!;
        Assert.That((failed.Status, failed.ErrorMessage), Is.EqualTo((CrawlStatus.Failed, "the screen is black")));
        Assert.That(await Events.CountAsync(run), Is.EqualTo(2));
        Assert.That(await QueryAsync<int>("select attempt from crawl_run_retries order by attempt"), Is.EqualTo(new[] { 2, 3 }));
        Assert.That(await QueryAsync<int>("select count(*)::int from crawl_runs"), Is.EqualTo(new[] { 3 }));
    }

    [Test]
    public async Task A_run_that_is_deleted_while_it_is_crawled_fails_alone()
    {
        var deleted = await InsertAsync("org.example.waiting");
        var other = await InsertAsync("org.example.app");

        using var worker = await StartAsync();
        await screens.Waiting.Task;
        await Runs.DeleteAsync(deleted);
        screens.GoOn.SetResult();

        Assert.That(await Events.FollowAsync(other).CountAsync(), Is.EqualTo(5));
        await worker.StopAsync();
    }

    [Test]
    public async Task A_crawl_that_is_interrupted_by_shutdown_is_pending_again_and_goes_on_after_its_last_event()
    {
        var run = await InsertAsync("org.example.waiting");
        using (var stopped = await StartAsync(options => options.ShutdownTimeout = TimeSpan.Zero))
        {
            await screens.Waiting.Task;
            await stopped.StopAsync();
        }

        Assert.That((await Runs.GetAsync(run))!.Status, Is.EqualTo(CrawlStatus.Pending));
        Assert.That(await Events.CountAsync(run), Is.EqualTo(1));

        screens.GoOn.SetResult();
        using var next = await StartAsync();
        var events = await Events.FollowAsync(run).ToListAsync();
        Assert.That(events.Select(crawlEvent => crawlEvent.Payload.ToElement().GetProperty("step").GetInt32()), Is.EqualTo(Enumerable.Range(1, 5)));
        await next.StopAsync();
    }

    [Test]
    public async Task A_run_whose_worker_died_is_failed_and_retried_in_one_transaction()
    {
        var run = await InsertAsync("org.example.app");
        await new CrawlRunQueue(DataSource).ClaimNextAsync();
        await ExecuteAsync(
            """
            update crawl_runs set started_at = started_at - interval '1 hour';
            update crawl_run_claims set heartbeat_at = heartbeat_at - interval '1 hour';
            insert into crawl_event_marks (marked_at, event_id) select clock_timestamp() - interval '1 hour', coalesce(max(id), 0) from crawl_events
            """);

        using var worker = await StartAsync(time: new RescuesAtOnce());

        await UntilAsync("select exists (select from crawl_run_retries join crawl_runs on id = run_id where status = 'COMPLETED')");
        Assert.That((await Runs.GetAsync(run))!.Status, Is.EqualTo(CrawlStatus.Failed));
        await worker.StopAsync();
    }

    [Test]
    public async Task A_lost_claim_cancels_the_handler_and_its_events_are_not_stored()
    {
        var run = await InsertAsync("org.example.waiting");
        using var worker = await StartAsync(time: new Crawls.TimeWithoutPolls((new WorkerOptions().StaleAfter / 4, TimeSpan.FromMilliseconds(20))));
        await screens.Waiting.Task;

        await Runs.FailAsync(run, "taken for dead");

        await screens.Cancelled.Task.WaitAsync(Wait.Longest);
        await worker.StopAsync();
        Assert.That(await Events.CountAsync(run), Is.Zero, "the claim was lost before the flush");
        Assert.That((await Runs.GetAsync(run))!.ErrorMessage, Is.EqualTo("taken for dead"));
        Assert.That(await QueryAsync<int>("select count(*)::int from crawl_runs"), Is.EqualTo(new[] { 1 }), "nothing is retried");
    }

    /// <summary>The worker learns of it by its events, before a heartbeat: it goes red when that counts as the handler's failure.</summary>
    [Test]
    public async Task A_run_that_an_operator_fails_is_logged_as_lost()
    {
        const int ItemFailed = 60;
        const int ClaimLost = 62;
        var log = new LoggedEvents<object>(ItemFailed, ClaimLost);
        var run = await InsertAsync("org.example.waiting");
        using var worker = await StartAsync(log: new OneLoggerFactory(log));
        await screens.Waiting.Task;

        await Runs.FailAsync(run, "stuck");
        screens.GoOn.SetResult();

        await log.Received.UntilCountAsync(1);
        await worker.StopAsync();
        Assert.That(log.Received.ToList(), Has.Count.EqualTo(1).And.All.StartsWith("Lost "));
    }

    private async Task<Guid> InsertAsync(string appPackage) =>
        (await new CrawlRunRepository(DataSource, notify: true).InsertAsync(new NewCrawlRun { AppPackage = appPackage, MaxSteps = 5 })).Id;

    private Task UntilAsync(string condition) => Wait.UntilAsync(DataSource, condition);

    private async Task<IHost> StartAsync(Action<WorkerOptions>? configure = null, TimeProvider? time = null, ILoggerFactory? log = null)
    {
        var host = CrawlerHost.Build([$"--ConnectionStrings:Crawls={Database.ConnectionString}"], services =>
        {
            services.AddSingleton<IScreens>(screens).AddSingleton(time ?? TimeProvider.System);
            if (log is not null)
            {
                services.AddSingleton(log);
            }

            services.AddCrawlData(options =>
            {
                options.MigrateAtStartup = false;

                // So that events are flushed by the worker.
                options.Writer.Linger = TimeSpan.FromMinutes(1);
            });
            services.AddCrawlWorker<Crawler>(options =>
            {
                options.PollInterval = TimeSpan.FromMilliseconds(10);
                configure?.Invoke(options);
            });
        });
        await host.StartAsync();
        return host;
    }

    /// <summary>Waits before the second screen of one app, and fails before the third of another.</summary>
    private sealed class Screens : IScreens
    {
        public TaskCompletionSource Waiting { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TaskCompletionSource GoOn { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TaskCompletionSource Cancelled { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public async Task<string> VisitAsync(string appPackage, int step, CancellationToken cancellationToken)
        {
            switch (appPackage, step)
            {
                case ("org.example.waiting", 2):
                    Waiting.TrySetResult();
                    try
                    {
                        await GoOn.Task.WaitAsync(cancellationToken);
                    }
                    catch (OperationCanceledException)
                    {
                        Cancelled.TrySetResult();
                        throw;
                    }

                    break;
                case ("org.example.broken", 3):
                    throw new InvalidOperationException("the screen is black");
            }

            return $"screen {step} \ud800";
        }
    }
}
