using System.Text;
using CrawlData.Crawls;
using CrawlData.Tests.Faults;
using Npgsql;

namespace CrawlData.Tests.Crawls;

/// <summary>Followers that have caught up share looks and reads. The tests drive the clock, so the numbers of statements do not depend on the
/// machine.</summary>
public sealed class FollowHubTests : EmptiedDatabaseTest
{
    private static readonly TimeSpan Interval = CrawlEventFollowOptions.Default.PollInterval;
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(10);

    private FaultProxy proxy = null!;
    private NpgsqlDataSource dataSource = null!;
    private DrivenTime time = null!;
    private CrawlEventRepository followed = null!;
    private CancellationTokenSource enough = null!;

    /// <summary>The numbers of the statements that followers sent.</summary>
    private ReceivedItems<int> statements = null!;

    [SetUp]
    public void Start()
    {
        (proxy, time, enough, statements) = (new FaultProxy(Database.ConnectionString), new DrivenTime(), new CancellationTokenSource(), new());
        dataSource = proxy.CreateDataSource(Database.ConnectionString, settings => settings.MaxPoolSize = 10);
        followed = new CrawlEventRepository(dataSource, timeProvider: time);
        OnStatement(_ => { });
    }

    [TearDown]
    public async Task StopAsync()
    {
        await enough.CancelAsync();
        await dataSource.DisposeAsync();
        await proxy.DisposeAsync();
        enough.Dispose();
    }

    /// <summary>Goes red with a read for each follower, and when the times of the followers do not come together.</summary>
    [TestCase(1, 100)]
    [TestCase(100, 100)]
    [TestCase(0, 20)]
    public async Task Idle_followers_of_one_crawl_of_many_or_of_all_send_one_statement_an_interval(int crawls, int followers)
    {
        var ids = await Task.WhenAll(Enumerable.Range(0, Math.Max(1, crawls)).Select(_ => CreateCrawlAsync()));
        await Events.AppendAsync([.. ids.Select(id => (id, Event(1)))]);
        var waiting = new List<Task<bool>>();
        for (var index = 0; index < followers; index++)
        {
            waiting.Add(await WaitAfterFirstAsync(crawls == 0 ? null : ids[index % crawls]));
            time.Advance(TimeSpan.FromMilliseconds(7));
        }

        await time.TickForAsync(10 * Interval);

        var before = statements.Count;
        var intervals = await time.TickForAsync(20 * Interval) / Interval;

        Assert.That(statements.Count - before, Is.InRange(5, 2 * (int)intervals), "a follower alone sends as many");
        Assert.That(waiting, Has.All.Property("IsCompleted").False);
    }

    [Test]
    public async Task Followers_at_one_position_share_one_read_and_its_events([Values] bool all)
    {
        var crawl = await CreateCrawlAsync();
        await Events.AppendAsync(crawl, Event(1));
        var followers = Enumerable.Range(0, 5).Select(_ => Follow(all ? null : crawl)).ToList();
        var next = new List<Task<bool>>();
        foreach (var follower in followers)
        {
            await follower.MoveNextAsync();
            next.Add(follower.MoveNextAsync().AsTask());
        }

        var before = statements.Count;
        var id = await Events.AppendAsync(crawl, Event(2));
        await time.AdvanceUntilAsync(Task.WhenAll(next), FirstPause).WaitAsync(Wait.Longest);

        Assert.That(followers.Select(follower => follower.Current.Id), Has.All.EqualTo(id));
        Assert.That(followers.Select(follower => follower.Current), Has.All.SameAs(followers[0].Current));
        Assert.That(statements.Count - before, Is.EqualTo(all ? 2 : 1), "a follower of all crawls first waits for open transactions");
    }

    [Test]
    public async Task A_slow_follower_and_a_late_one_get_each_event_once_and_hold_up_no_other()
    {
        var crawl = await CreateCrawlAsync();
        var ids = new List<long> { await Events.AppendAsync(crawl, Event(1)) };
        var (slow, fast) = (Follow(crawl), Follow(crawl));
        await slow.MoveNextAsync();
        await fast.MoveNextAsync();
        for (var number = 2; number <= 4; number++)
        {
            var next = fast.MoveNextAsync().AsTask();
            ids.Add(await Events.AppendAsync(crawl, Event(number)));
            await time.AdvanceUntilAsync(next, FirstPause).WaitAsync(Wait.Longest);
            Assert.That(await next);
            Assert.That(fast.Current.Id, Is.EqualTo(ids[^1]));
        }

        var late = Follow(crawl);
        var (slowIds, lateIds) = (new List<long> { slow.Current.Id }, new List<long>());
        for (var count = 0; count < ids.Count; count++)
        {
            await late.MoveNextAsync();
            lateIds.Add(late.Current.Id);
        }

        var afterFirst = slow.MoveNextAsync().AsTask();
        await time.AdvanceUntilAsync(afterFirst, FirstPause).WaitAsync(Wait.Longest);
        slowIds.Add(slow.Current.Id);
        while (slowIds.Count < ids.Count)
        {
            await slow.MoveNextAsync();
            slowIds.Add(slow.Current.Id);
        }

        Assert.That((slowIds, lateIds), Is.EqualTo((ids, ids)));
    }

    /// <summary>Goes red when the hub goes on without followers.</summary>
    [Test]
    public async Task Without_followers_nothing_is_sent_and_the_next_follower_starts_the_hub_again()
    {
        var crawls = new[] { await CreateCrawlAsync(), await CreateCrawlAsync() };
        await Events.AppendAsync([.. crawls.Select(crawl => (crawl, Event(1)))]);
        using var leaving = new CancellationTokenSource();
        var left = await Task.WhenAll(crawls.Select(crawl => WaitAfterFirstAsync(crawl, leaving.Token)));
        await time.TickForAsync(Interval);
        await leaving.CancelAsync();
        await Assert.ThatAsync(() => Task.WhenAll(left), Throws.InstanceOf<OperationCanceledException>());
        var follower = Follow(crawls[0]);
        await follower.MoveNextAsync();

        var before = statements.Count;
        for (var hour = 0; hour < 10; hour++)
        {
            time.Advance(TimeSpan.FromHours(1));
        }

        await Events.GetAsync(crawls[0], follower.Current.Id);
        Assert.That(statements.Count, Is.EqualTo(before));
        var next = follower.MoveNextAsync().AsTask();
        var id = await Events.AppendAsync(crawls[0], Event(2));
        await time.AdvanceUntilAsync(next, FirstPause).WaitAsync(Wait.Longest);
        Assert.That(await next);
        Assert.That(follower.Current.Id, Is.EqualTo(id));
    }

    [Test]
    public async Task A_follower_that_leaves_during_a_shared_read_takes_nothing_from_the_others()
    {
        var crawl = await CreateCrawlAsync();
        await Events.AppendAsync(crawl, Event(1));
        using var leaving = new CancellationTokenSource();
        var (leaver, stayer) = (Follow(crawl, leaving.Token), Follow(crawl));
        await leaver.MoveNextAsync();
        await stayer.MoveNextAsync();
        var id = await Events.AppendAsync(crawl, Event(2));
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using (var hold = new NpgsqlCommand("lock table crawl_events", connection, transaction))
        {
            await hold.ExecuteNonQueryAsync();
        }

        var reads = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        OnStatement(_ => reads.TrySetResult());
        var (left, next) = (leaver.MoveNextAsync().AsTask(), stayer.MoveNextAsync().AsTask());

        await time.AdvanceUntilAsync(reads.Task, FirstPause).WaitAsync(Wait.Longest);
        await leaving.CancelAsync();

        await Assert.ThatAsync(() => left.WaitAsync(Wait.Longest), Throws.InstanceOf<OperationCanceledException>());
        await transaction.RollbackAsync();
        Assert.That(await next.WaitAsync(Wait.Longest));
        Assert.That(stayer.Current.Id, Is.EqualTo(id));
    }

    /// <summary>The server refuses each statement that reads the run of one of the crawls.</summary>
    [Test]
    public async Task The_error_of_one_crawl_ends_only_its_own_followers([Values] bool isDeleted)
    {
        var (bad, good) = (await CreateCrawlAsync("bad"), new[] { await CreateCrawlAsync(), await CreateCrawlAsync() });
        await Events.AppendAsync([(bad, Event(1)), .. good.Select(crawl => (crawl, Event(1)))]);
        await WithRoleAsync(async (_, _) =>
        {
            var waiting = await WaitAfterFirstAsync(bad);
            var next = await Task.WhenAll(good.Select(crawl => WaitAfterFirstAsync(crawl)));
            await (isDeleted
                ? Runs.DeleteAsync(bad)
                : RestrictRunsAsync("1 / (case when app_package = 'bad' then 0 else 1 end) = 1"));

            await Assert.ThatAsync(
                () => time.AdvanceUntilAsync(waiting, FirstPause).WaitAsync(Wait.Longest),
                isDeleted ? Throws.InstanceOf<RowNotFoundException>() : Throws.InstanceOf<PostgresException>().With.Property("SqlState").EqualTo("22012"));
            await Events.AppendAsync([.. good.Select(crawl => (crawl, Event(2)))]);
            await AssertReceivedAsync(next);
        });
    }

    /// <summary>A look for four crawls takes longer than the role's time-out, and one for two does not.</summary>
    [Test]
    public async Task A_look_that_the_server_ends_is_split()
    {
        var crawls = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => CreateCrawlAsync()));
        await Events.AppendAsync([.. crawls.Select(crawl => (crawl, Event(1)))]);
        await WithRoleAsync(async (asRole, role) =>
        {
            var next = await Task.WhenAll(crawls.Select(crawl => WaitAfterFirstAsync(crawl)));
            await RestrictRunsAsync("pg_sleep(0.15) is not null");
            await ExecuteAsync($"alter role {role} set statement_timeout = '450ms'");
            asRole.Clear();
            await Events.AppendAsync([.. crawls.Select(crawl => (crawl, Event(2)))]);

            await time.AdvanceUntilAsync(Task.WhenAll(next), FirstPause).WaitAsync(Wait.Longest);

            Assert.That(next, Has.All.Property("Result").True);
        });
    }

    /// <summary>Goes red when the look waits for the one that hangs.</summary>
    [Test]
    public async Task A_look_that_hangs_holds_up_no_follower_that_comes_later()
    {
        var crawls = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => CreateCrawlAsync()));
        await Events.AppendAsync([.. crawls.Select(crawl => (crawl, Event(1)))]);
        var stuck = await Task.WhenAll(crawls[..2].Select(crawl => WaitAfterFirstAsync(crawl)));
        var frozen = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        OnStatement(_ =>
        {
            proxy.FreezeOpenConnections();
            frozen.TrySetResult();
        });
        await time.AdvanceUntilAsync(frozen.Task, FirstPause).WaitAsync(Wait.Longest);
        OnStatement(_ => { });
        dataSource.Clear();

        var later = crawls[2..].Select(crawl => Follow(crawl)).ToList();
        foreach (var follower in later)
        {
            await follower.MoveNextAsync();
        }

        var next = later.Select(follower => follower.MoveNextAsync().AsTask()).ToList();
        await Events.AppendAsync([.. crawls.Select(crawl => (crawl, Event(2)))]);
        await AssertReceivedAsync(next);
        Assert.That(stuck, Has.All.Property("IsCompleted").False);
    }

    /// <summary>Goes red without the check in the look.</summary>
    [Test]
    public async Task A_sequence_that_was_set_back_ends_idle_followers()
    {
        var crawls = new[] { await CreateCrawlAsync(), await CreateCrawlAsync() };
        await Events.AppendAsync([.. crawls.Select(crawl => (crawl, Event(1)))]);
        var waiting = await Task.WhenAll(crawls.Select(crawl => WaitAfterFirstAsync(crawl)));
        await ExecuteAsync("select setval('crawl_events_id_seq', 1, false)");
        try
        {
            foreach (var follower in waiting)
            {
                await Assert.ThatAsync(() => time.AdvanceUntilAsync(follower, Interval), Throws.InstanceOf<InvalidOperationException>());
            }
        }
        finally
        {
            await ExecuteAsync("select setval('crawl_events_id_seq', (select max(id) from crawl_events))");
        }
    }

    [Test]
    public async Task A_notification_that_comes_while_a_follower_is_busy_makes_it_read_when_it_waits()
    {
        followed = new CrawlEventRepository(dataSource, timeProvider: new TimeWithoutPolls());
        var notifying = new CrawlEventRepository(DataSource, notify: true);
        var crawl = await CreateCrawlAsync();
        await Events.AppendAsync(crawl, Event(1));
        var (busy, waiting) = (Follow(crawl, options: TimeWithoutPolls.Listening), Follow(crawl, options: TimeWithoutPolls.Listening));
        await busy.MoveNextAsync();
        await waiting.MoveNextAsync();
        for (var number = 2; number < 5; number++)
        {
            var next = waiting.MoveNextAsync().AsTask();
            await notifying.AppendAsync(crawl, Event(number));
            Assert.That(await next.WaitAsync(Wait.Longest));
        }

        Assert.That(await busy.MoveNextAsync().AsTask().WaitAsync(Wait.Longest));
    }

    private async Task AssertReceivedAsync(IEnumerable<Task<bool>> next)
    {
        var all = Task.WhenAll(next);
        await time.AdvanceUntilAsync(all, TimeSpan.FromSeconds(1));

        Assert.That(await all, Has.All.True);
    }

    /// <summary>Lets followers be a role that row level security applies to, and that finds each run by its id.</summary>
    private async Task WithRoleAsync(Func<NpgsqlDataSource, string, Task> test)
    {
        var role = $"follower_{Guid.NewGuid():N}";
        await ExecuteAsync(
            $"""
            create role {role} login password 'follower';
            grant usage on schema public to {role};
            grant select on crawl_runs, crawl_events to {role};
            alter role {role} set enable_seqscan = off;
            alter role {role} set enable_hashjoin = off;
            """);
        try
        {
            await using var asRole = proxy.CreateDataSource(
                Database.ConnectionString, settings => (settings.Username, settings.Password) = (role, "follower"));
            followed = new CrawlEventRepository(asRole, timeProvider: time);
            await test(asRole, role);
            await enough.CancelAsync();
        }
        finally
        {
            await ExecuteAsync(
                $"drop policy if exists test on crawl_runs; alter table crawl_runs disable row level security; drop owned by {role}; drop role {role}");
        }
    }

    private Task RestrictRunsAsync(string condition) =>
        ExecuteAsync($"alter table crawl_runs enable row level security; create policy test on crawl_runs using ({condition})");

    /// <summary>Calls back at each statement that a follower sends, before the statement reaches the server.</summary>
    private void OnStatement(Action<int> act) => proxy.OnSent = (number, piece) =>
    {
        if (Encoding.UTF8.GetString(piece).Contains("from crawl_events", StringComparison.Ordinal))
        {
            statements.Add(number);
            act(number);
        }

        return Fault.None;
    };

    private IAsyncEnumerator<CrawlEvent> Follow(Guid? crawl, CancellationToken? token = null, CrawlEventFollowOptions? options = null) =>
        (crawl is { } id
            ? followed.FollowAsync(id, options: options, cancellationToken: token ?? enough.Token)
            : followed.FollowAllAsync(cancellationToken: token ?? enough.Token).SelectMany(batch => batch.Events)).GetAsyncEnumerator(CancellationToken.None);

    /// <summary>Starts a follower that gets the first event.</summary>
    /// <returns>The wait for the second. When this returns, the follower waits in the hub.</returns>
    private async Task<Task<bool>> WaitAfterFirstAsync(Guid? crawl, CancellationToken? token = null)
    {
        var follower = Follow(crawl, token);
        await follower.MoveNextAsync();
        return follower.MoveNextAsync().AsTask();
    }
}
