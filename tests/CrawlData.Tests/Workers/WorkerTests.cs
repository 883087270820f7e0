using System.Collections.Concurrent;
using CrawlData.Audits;
using CrawlData.Tests.Crawls;
using CrawlData.Tests.Faults;
using CrawlData.Workers;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Npgsql;

namespace CrawlData.Tests.Workers;

/// <summary>A hosted worker on sessions. The worker on runs shares its engine.</summary>
public sealed class WorkerTests : EmptiedDatabaseTest
{

    private Script script = null!;

    [SetUp]
    public void MakeScript() => script = new();

    [Test]
    public async Task Each_session_is_handled_in_a_scope_of_its_own_and_completed()
    {
        var inserted = await Sessions.InsertAsync(Enumerable.Range(1, 12).Select(number => Session($"https://example.org/{number}")));
        var fourAtATime = Signal();
        script.OnHandle = async (context, _) =>
        {
            if (script.Handled.Count >= 4)
            {
                fourAtATime.TrySetResult();
            }

            await fourAtATime.Task;
            if (context.Session.Url.EndsWith("/5", StringComparison.Ordinal))
            {
                context.CompletePartially("no product page");
            }
        };
        using var host = await StartAsync(options => options.Concurrency = 4);

        await UntilAsync("select count(*) = 12 from audit_sessions where status in ('completed', 'partial')");

        Assert.That(script.Handled.ToList().Select(one => one.Session.Id), Is.EquivalentTo(inserted.Select(session => session.Id)));
        Assert.That(script.Scopes.Distinct().Count(), Is.EqualTo(12));
        Assert.That(
            await QueryAsync<(string, string)>("select url, error_summary from audit_sessions where status = 'partial'"),
            Is.EqualTo(new[] { ("https://example.org/5", "no product page") }));
        await host.StopAsync();
    }

    [Test]
    public async Task A_handler_that_throws_is_called_again_until_the_last_attempt()
    {
        var session = await EnqueueAsync();
        script.OnHandle = (context, _) => throw new InvalidOperationException($"no route \ud800 {context.Session.Attempts}");
        using var host = await StartAsync(options => (options.MaxAttempts, options.RetryDelay) = (3, TimeSpan.Zero));

        await UntilAsync("select status = 'failed' from audit_sessions");

        Assert.That(script.Handled.ToList().Select(one => one.Session.Attempts), Is.EqualTo(new[] { 1, 2, 3 }));
        Assert.That((await Sessions.GetAsync(session))!.ErrorSummary, Is.EqualTo("no route \ufffd 3"));
        await host.StopAsync();
    }

    [Test]
    public async Task A_retry_waits_for_its_delay_in_the_database()
    {
        await EnqueueAsync();
        script.OnHandle = (_, _) => throw new InvalidOperationException("no route");
        using var host = await StartAsync(options => (options.RetryDelay, options.LongestRetryDelay) = (TimeSpan.FromHours(10), TimeSpan.FromHours(2)));

        await UntilAsync("select status = 'queued' and attempts = 1 from audit_sessions");

        Assert.That(
            (await QueryAsync<TimeSpan>("select not_before - clock_timestamp() from audit_session_claims")).Single(),
            Is.InRange(TimeSpan.FromMinutes(119), TimeSpan.FromHours(2)));
        await host.StopAsync();
    }

    [Test]
    public async Task A_handler_may_finish_when_the_host_stops()
    {
        var session = await EnqueueAsync();
        var goOn = Signal();
        script.OnHandle = (_, _) => goOn.Task;
        using var host = await StartAsync();
        await script.Handled.UntilCountAsync(1);
        var another = await EnqueueAsync();

        var stopping = host.StopAsync();
        goOn.SetResult();
        await stopping;

        Assert.That((await Sessions.GetAsync(session))!.Status, Is.EqualTo(AuditSessionStatus.Completed));
        Assert.That((await Sessions.GetAsync(another))!.Status, Is.EqualTo(AuditSessionStatus.Queued));
    }

    [Test]
    public async Task A_handler_that_does_not_finish_in_time_is_cancelled_and_its_session_handed_back([Values] bool ignoresItsToken)
    {
        var session = await EnqueueAsync();
        script.OnHandle = (_, token) => ignoresItsToken ? Signal().Task : Wait.UntilCancelledAsync(token).ContinueWith(_ => throw new IOException(), token);
        using var host = await StartAsync(options => options.ShutdownTimeout = TimeSpan.Zero, time: new ShortGrace());
        await script.Handled.UntilCountAsync(1);

        await host.StopAsync().WaitAsync(Wait.Longest);

        var released = (await Sessions.GetAsync(session))!;
        Assert.That((released.Status, released.Attempts, released.ErrorSummary), Is.EqualTo((AuditSessionStatus.Queued, 1, (string?)null)));
        Assert.That(await QueryAsync<int>("select released from audit_session_claims"), Is.EqualTo(new[] { 1 }));
    }

    [Test]
    public async Task A_session_whose_worker_died_is_rescued_and_handled_again()
    {
        var session = await EnqueueAsync();
        await Queue.ClaimNextAsync();
        await ExecuteAsync("insert into crawl_log_marks (marked_at, log_id) select clock_timestamp() - interval '1 hour', max(id) from crawl_logs");

        using var host = await StartAsync(time: new RescuesAtOnce());

        await UntilAsync("select status = 'completed' from audit_sessions");
        Assert.That(script.Handled.ToList().Select(one => (one.Session.Id, one.Session.Attempts)), Is.EqualTo(new[] { (session, 2) }));
        await host.StopAsync();
    }

    [Test]
    public async Task A_silent_handler_keeps_its_session_by_heartbeats()
    {
        var session = await EnqueueAsync();
        var goOn = Signal();
        script.OnHandle = (_, _) => goOn.Task;
        using var host = await StartAsync(time: HeartbeatsAtOnce());

        // As if the log had been silent for long.
        await UntilAsync("select exists (select from audit_session_claims where heartbeat_at is not null)");
        await ExecuteAsync("insert into crawl_log_marks (marked_at, log_id) select clock_timestamp() - interval '1 hour', max(id) from crawl_logs");
        Assert.That(await Queue.RescueStaleAsync(new WorkerOptions().StaleAfter, maxAttempts: 3), Is.Empty);
        goOn.SetResult();

        await UntilAsync("select status = 'completed' from audit_sessions");
        Assert.That((await Sessions.GetAsync(session))!.Attempts, Is.EqualTo(1));
        await host.StopAsync();
    }

    [Test]
    public async Task A_lost_session_s_handler_is_cancelled_and_nothing_is_written_for_it()
    {
        var session = await EnqueueAsync();
        var cancelled = Signal();
        script.OnHandle = async (_, token) =>
        {
            await Wait.UntilCancelledAsync(token);
            cancelled.SetResult();
        };
        using var host = await StartAsync(time: HeartbeatsAtOnce());
        await script.Handled.UntilCountAsync(1);

        await ExecuteAsync("update audit_sessions set attempts = attempts + 1");

        await cancelled.Task.WaitAsync(Wait.Longest);
        await host.StopAsync();
        var other = (await Sessions.GetAsync(session))!;
        Assert.That((other.Status, other.Attempts, other.ErrorSummary), Is.EqualTo((AuditSessionStatus.Running, 2, (string?)null)));
    }

    [Test]
    public async Task A_worker_survives_an_outage_while_it_waits_and_while_it_handles()
    {
        await using var proxy = new FaultProxy(Database.ConnectionString);
        await using var dataSource = proxy.CreateDataSource(Database.ConnectionString);
        var goOn = Signal();
        script.OnHandle = (_, _) => goOn.Task;
        proxy.Down = true;
        using var host = await StartAsync(dataSource: dataSource);
        var session = await EnqueueAsync();

        // The first claims fail.
        proxy.Down = false;
        await script.Handled.UntilCountAsync(1);

        var failed = Signal();
        proxy.OnSent = (_, piece) =>
        {
            // The end of the session is sent, and its answer is lost. The next attempts fail to connect.
            if (piece.AsSpan().IndexOf("completed"u8) < 0 || failed.Task.IsCompleted)
            {
                return Fault.None;
            }

            proxy.Down = true;
            failed.SetResult();
            return Fault.CutAfter;
        };
        goOn.SetResult();
        await failed.Task.WaitAsync(Wait.Longest);
        proxy.Down = false;

        await UntilAsync("select status = 'completed' from audit_sessions");
        await host.StopAsync();
        Assert.That((await Sessions.GetAsync(session))!.Attempts, Is.EqualTo(1));
    }

    [Test]
    public void A_second_handler_for_the_queue_is_refused()
    {
        var services = new ServiceCollection().AddCrawlData(Database.ConnectionString).AddAuditWorker<Handler>();

        Assert.That(() => services.AddAuditWorker<Handler>(), Throws.Nothing);
        Assert.That(() => services.AddAuditWorker<OtherHandler>(), Throws.InvalidOperationException.With.Message.Contains("Handler already"));
        Assert.That(services.Count(service => service.ServiceType == typeof(IHostedService)), Is.EqualTo(3));
    }

    [Test]
    public async Task An_option_out_of_range_keeps_the_host_from_starting()
    {
        var exception = await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => StartAsync(options => options.Concurrency = 0));

        Assert.That(exception!.ParamName, Is.EqualTo("Concurrency"));
    }

    /// <summary>The system's time, on which the pauses between heartbeats are short.</summary>
    private static TimeWithoutPolls HeartbeatsAtOnce() => new((new WorkerOptions().StaleAfter / 4, TimeSpan.FromMilliseconds(20)));

    private static TaskCompletionSource Signal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private Task UntilAsync(string condition) => Wait.UntilAsync(DataSource, condition);

    private async Task<IHost> StartAsync(Action<WorkerOptions>? configure = null, NpgsqlDataSource? dataSource = null, TimeProvider? time = null)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddSingleton(script).AddSingleton(time ?? TimeProvider.System);
        builder.Services.AddCrawlData(options =>
        {
            options.MigrateAtStartup = false;
            options.DataSource = _ => dataSource ?? DataSource;
        });
        builder.Services.AddAuditWorker<Handler>(options =>
        {
            options.PollInterval = TimeSpan.FromMilliseconds(10);
            configure?.Invoke(options);
        });
        var host = builder.Build();
        await host.StartAsync();
        return host;
    }

    /// <summary>What the handlers of a test do.</summary>
    private sealed class Script
    {
        public Func<AuditContext, CancellationToken, Task> OnHandle { get; set; } = (_, _) => Task.CompletedTask;

        public ReceivedItems<AuditContext> Handled { get; } = new();

        public ConcurrentBag<Handler> Scopes { get; } = [];
    }

    private sealed class Handler(Script script) : IAuditHandler
    {
        public async Task HandleAsync(AuditContext context, CancellationToken cancellationToken)
        {
            script.Scopes.Add(this);
            script.Handled.Add(context);
            await script.OnHandle(context, cancellationToken);
        }
    }

    private sealed class OtherHandler : IAuditHandler
    {
        public Task HandleAsync(AuditContext context, CancellationToken cancellationToken) => Task.CompletedTask;
    }

    /// <summary>The system's time, on which handlers get little time to obey their token.</summary>
    private sealed class ShortGrace : TimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            base.CreateTimer(callback, state, dueTime == Worker<AuditSession>.Grace ? TimeSpan.FromMilliseconds(100) : dueTime, period);
    }
}
