using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Storage;
using CrawlData.Tests.Faults;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Npgsql;

namespace CrawlData.Tests.Queues;

public sealed class ClaimStreamTests : EmptiedDatabaseTest
{
    private static readonly ClaimOptions Listening = new() { Listen = true };

    // Polls of this interval never happen.
    private static readonly ClaimOptions WithoutPolls = new() { Listen = true, PollInterval = TimeSpan.FromMilliseconds(47) };

    private static readonly TimeSpan Silence = TimeSpan.FromMinutes(5);

    [Test]
    public async Task Inserts_requeues_releases_retries_and_rescues_wake_a_listening_worker()
    {
        var sessions = new AuditSessionRepository(DataSource, notify: true);
        var queue = new AuditSessionQueue(DataSource, notify: true, timeProvider: new NeverTime(WithoutPolls.PollInterval));
        var claims = queue.StreamClaimsAsync(WithoutPolls).GetAsyncEnumerator();

        var claimed = await ClaimAfterAsync(() => sessions.InsertAsync(Session()));
        claimed = await ClaimAfterAsync(() => queue.ReleaseAsync(claimed.Id, claimed.Attempts));
        claimed = await ClaimAfterAsync(() => queue.RetryAsync(claimed.Id, claimed.Attempts, "no route", TimeSpan.Zero, maxAttempts: 100));
        claimed = await ClaimAfterAsync(async () =>
        {
            await queue.FailAsync(claimed.Id, claimed.Attempts, "no route");
            await queue.RequeueAsync(claimed.Id);
        });
        claimed = await ClaimAfterAsync(async () =>
        {
            await ExecuteAsync("insert into crawl_log_marks select clock_timestamp() - @ago, max(id) from crawl_logs", new { ago = 2 * Silence });
            await queue.RescueStaleAsync(Silence, maxAttempts: 100);
        });

        Assert.That(claimed.Attempts, Is.EqualTo(5));
        await claims.DisposeAsync();

        async Task<AuditSession> ClaimAfterAsync(Func<Task> change)
        {
            // The worker waits before the change. Only a notification can end its wait.
            var next = claims.MoveNextAsync().AsTask();
            await Wait.UntilAsync(
                DataSource,
                "select exists (select from pg_stat_activity where datname = current_database() and state = 'idle' and query like 'listen %')");
            await change();
            Assert.That(await next.WaitAsync(Wait.Longest), Is.True);
            return claims.Current;
        }
    }

    [Test]
    public async Task Without_notifications_a_poll_finds_work()
    {
        await using var claims = Queue.StreamClaimsAsync(new ClaimOptions { PollInterval = TimeSpan.FromMilliseconds(10) }).GetAsyncEnumerator();
        var next = claims.MoveNextAsync().AsTask();

        var session = await EnqueueAsync();

        Assert.That(await next.WaitAsync(Wait.Longest), Is.True);
        Assert.That(claims.Current.Id, Is.EqualTo(session));
    }

    [Test]
    public async Task A_flood_of_notifications_makes_one_look_in_each_gap()
    {
        await using var proxy = new FaultProxy(Database.ConnectionString);
        await using var dataSource = proxy.CreateDataSource(Database.ConnectionString);
        var looks = new ReceivedItems<bool>();
        proxy.OnSent = (_, piece) =>
        {
            if (piece.AsSpan().IndexOf("skip locked"u8) >= 0)
            {
                looks.Add(true);
            }

            return Fault.None;
        };
        var time = new FakeTimeProvider();
        var queue = new AuditSessionQueue(dataSource, timeProvider: time);
        using var enough = new CancellationTokenSource();
        await using var claims = queue.StreamClaimsAsync(Listening, enough.Token).GetAsyncEnumerator();
        var next = claims.MoveNextAsync().AsTask();

        // The stream's own look, and one because the listener listens. The clock stands still, so that no poll and no gap ends.
        await looks.UntilCountAsync(2);
        using var ended = new SemaphoreSlim(0);
        using var subscription = NotificationListener.Subscribe(
            dataSource,
            NotificationListener.WorkChannel,
            queues => _ = queues?.Contains("end") is true ? ended.Release() : 0,
            TimeProvider.System,
            NullLogger.Instance);
        for (var round = 2; round <= 4; round++)
        {
            await ExecuteAsync("select pg_notify('crawldata_work', 'sessions' || repeat(',', number)) from generate_series(1, 500) as number");
            await ExecuteAsync("select pg_notify('crawldata_work', 'end')");
            Assert.That(await ended.WaitAsync(Wait.Longest));
            Assert.That(looks.Count, Is.EqualTo(round));
            time.Advance(PulseSignal.Gap);
            await looks.UntilCountAsync(round + 1);
        }

        await enough.CancelAsync();
        await Assert.ThatAsync(() => next, Throws.InstanceOf<OperationCanceledException>());
    }

    [Test]
    public async Task All_waiting_streams_of_a_data_source_share_one_connection_with_followers()
    {
        await using var dataSource = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(Database.ConnectionString) { ApplicationName = "waiting" });
        var queue = new AuditSessionQueue(dataSource);
        var events = new CrawlEventRepository(dataSource);
        using var enough = new CancellationTokenSource();
        var waiting = Enumerable.Range(0, 5).Select(_ => queue.StreamClaimsAsync(Listening, enough.Token).GetAsyncEnumerator().MoveNextAsync().AsTask())
            .Append(events.FollowAllAsync(null, new() { Listen = true }, enough.Token).GetAsyncEnumerator().MoveNextAsync().AsTask())
            .ToList();

        await Wait.UntilAsync(
            DataSource,
            "select count(*) = 1 from pg_stat_activity where application_name = 'waiting' and query like 'listen %'");

        await enough.CancelAsync();
        await Assert.ThatAsync(() => Task.WhenAll(waiting), Throws.InstanceOf<OperationCanceledException>());
    }

    [Test]
    public async Task A_claim_that_is_under_way_when_the_stream_is_cancelled_is_returned()
    {
        await using var proxy = new FaultProxy(Database.ConnectionString);
        await using var dataSource = proxy.CreateDataSource(Database.ConnectionString);
        using var cancelled = new CancellationTokenSource();
        proxy.OnSent = (_, piece) =>
        {
            if (piece.AsSpan().IndexOf("skip locked"u8) >= 0)
            {
                cancelled.Cancel();
            }

            return Fault.None;
        };
        var session = await EnqueueAsync();
        await using var claims = new AuditSessionQueue(dataSource).StreamClaimsAsync(cancellationToken: cancelled.Token).GetAsyncEnumerator();

        Assert.That(await claims.MoveNextAsync(), Is.True);

        Assert.That(claims.Current.Id, Is.EqualTo(session));
        await Assert.ThatAsync(() => claims.MoveNextAsync().AsTask(), Throws.InstanceOf<OperationCanceledException>());
    }

    /// <summary>The system's time, on which pauses of one duration never end.</summary>
    private sealed class NeverTime(TimeSpan never) : TimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            base.CreateTimer(callback, state, dueTime == never ? Timeout.InfiniteTimeSpan : dueTime, period);
    }
}
