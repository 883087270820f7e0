using CrawlData.Crawls;
using CrawlData.Retention;
using CrawlData.Workers;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace CrawlData.Tests.Workers;

public sealed class JanitorTests : EmptiedDatabaseTest
{
    private const int JanitorFailed = 53;

    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(10);

    private LoggedEvents<ArtifactSweeper> failures = null!;

    [SetUp]
    public void MakeLog() => failures = new(JanitorFailed);

    [Test]
    public async Task Each_round_sweeps_and_purges_although_the_store_fails_at_first()
    {
        var (session, artifact) = await ExpireAsync();
        await ExecuteAsync("update audit_sessions set status = 'completed'");
        var crawl = (await Runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app", Status = CrawlStatus.Completed })).Id;
        var passed = new ReceivedItems<Guid>();
        var store = new DelegateStore((artifacts, _) =>
        {
            passed.Add(artifacts.Select(one => one.Id));
            return passed.Count == 1 ? throw new IOException("no storage") : Task.FromResult(artifacts);
        });
        var time = new Rounds();
        using var host = Build(store, time, options => (options.PurgeSessionsAfter, options.PurgeCrawlsAfter) = (TimeSpan.Zero, TimeSpan.Zero));
        await host.StartAsync();
        await time.Paused.UntilCountAsync(1);

        time.Advance(TimeSpan.FromMinutes(1));
        await time.Paused.UntilCountAsync(2);
        Assert.That(failures.Received.ToList().Single(), Does.Contain("sweep").And.Contain("System.IO.IOException"));
        Assert.That(await Sessions.GetAsync(session), Is.Not.Null, "its artifact is in the storage");
        Assert.That(await Runs.GetAsync(crawl), Is.Null);

        time.Advance(Interval);
        await time.Paused.UntilCountAsync(3);
        Assert.That(passed.ToList(), Is.EqualTo(new[] { artifact, artifact }));
        Assert.That(await Sessions.GetAsync(session), Is.Null);
        await host.StopAsync();
    }

    [Test]
    public async Task The_host_s_stop_cancels_a_sweep()
    {
        await ExpireAsync();
        var sweeping = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var time = new Rounds();
        using var host = Build(
            new DelegateStore(async (artifacts, token) =>
            {
                sweeping.SetResult();
                await Task.Delay(Timeout.InfiniteTimeSpan, token);
                return artifacts;
            }),
            time);
        await host.StartAsync();
        await time.Paused.UntilCountAsync(1);
        time.Advance(TimeSpan.FromMinutes(1));
        await sweeping.Task.WaitAsync(Wait.Longest);

        await host.StopAsync().WaitAsync(Wait.Longest);

        Assert.That(failures.Received.ToList(), Is.Empty);
    }

    [Test]
    public async Task A_janitor_without_work_keeps_the_host_from_starting()
    {
        using var host = Build(null, TimeProvider.System);

        await Assert.ThatAsync(() => host.StartAsync(), Throws.InvalidOperationException.With.Message.Contains("IArtifactStore"));
    }

    private async Task<(Guid Session, Guid Artifact)> ExpireAsync()
    {
        var session = await EnqueueAsync();
        var page = await Pages.InsertAsync(session, Page());
        var artifact = await Artifacts.InsertAsync(session, Artifact(page.Id) with { RetentionUntil = DateTimeOffset.UnixEpoch });
        return (session, artifact.Id);
    }

    private IHost Build(IArtifactStore? store, TimeProvider time, Action<JanitorOptions>? configure = null)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddSingleton(DataSource).AddSingleton(time).AddSingleton<ILogger<ArtifactSweeper>>(failures);
        if (store is not null)
        {
            builder.Services.AddSingleton(store);
        }

        builder.Services.AddCrawlData(options => options.MigrateAtStartup = false);
        builder.Services.AddCrawlDataJanitor(options =>
        {
            options.Interval = Interval;
            configure?.Invoke(options);
        });
        return builder.Build();
    }

    /// <summary>A clock that a test advances, and that counts the janitor's pauses.</summary>
    private sealed class Rounds : FakeTimeProvider
    {
        public ReceivedItems<TimeSpan> Paused { get; } = new();

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            var timer = base.CreateTimer(callback, state, dueTime, period);
            Paused.Add(dueTime);
            return timer;
        }
    }
}
