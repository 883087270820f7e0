using CrawlData.Crawls;
using Examples;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace CrawlData.Tests.Documentation;

public sealed class CrawlWorkerTests : EmptiedDatabaseTest
{
    private Screens screens = null!;

    [SetUp]
    public void MakeScreens() => screens = new();

    [Test]
    public async Task Workers_crawl_each_pending_run_once_and_store_its_events_before_it_ends()
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
    public async Task A_crawl_that_fails_keeps_its_events_and_its_error()
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
    public async Task A_run_that_is_deleted_while_it_is_crawled_fails_alone()
    {
        var deleted = (await Runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.waiting", MaxSteps = 3 })).Id;
        var other = (await Runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app", MaxSteps = 3 })).Id;

        using var worker = BuildWorker();
        await worker.StartAsync();
        await screens.Waiting.Task;
        await Runs.DeleteAsync(deleted);
        screens.GoOn.SetResult();

        Assert.That(await Events.FollowAsync(other).CountAsync(), Is.EqualTo(3));
        await worker.StopAsync();
    }

    [Test]
    public async Task A_crawl_that_is_interrupted_by_shutdown_is_cancelled()
    {
        var run = (await Runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.waiting", MaxSteps = 5 })).Id;

        using var worker = BuildWorker();
        await worker.StartAsync();
        await screens.Waiting.Task;
        await worker.StopAsync();

        Assert.That((await Runs.GetAsync(run))!.Status, Is.EqualTo(CrawlStatus.Cancelled));
        Assert.That(await Events.CountAsync(run), Is.EqualTo(1));
    }

    private IHost BuildWorker()
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddCrawlData(Database.ConnectionString);
        builder.Services.AddSingleton<IScreens>(screens);
        builder.Services.AddHostedService<CrawlWorker>();
        return builder.Build();
    }

    /// <summary>Waits before the second screen of one app, and fails before the third of another.</summary>
    private sealed class Screens : IScreens
    {
        public TaskCompletionSource Waiting { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TaskCompletionSource GoOn { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public async Task<string> VisitAsync(string appPackage, int step, CancellationToken cancellationToken)
        {
            switch (appPackage, step)
            {
                case ("org.example.waiting", 2):
                    Waiting.SetResult();
                    await GoOn.Task.WaitAsync(cancellationToken);
                    break;
                case ("org.example.broken", 3):
                    throw new InvalidOperationException("the screen is black");
            }

            return $"screen {step} \ud800";
        }
    }
}
