using System.Diagnostics;
using CrawlData.Crawls;
using Dapper;
using Npgsql;

namespace CrawlData.Tests.Crawls;

public class CrawlEventFollowerTests : DatabaseTest
{
    private static readonly CrawlEventFollowOptions Listening = TimeWithoutPolls.Listening;

    [Test]
    public async Task A_crawl_is_followed_from_a_cursor_until_its_run_has_ended([Values(1, 3, 1_000)] int pageSize)
    {
        var crawl = await CreateCrawlAsync();
        await Runs.StartAsync(crawl);
        var ids = (await Events.AppendAsync(crawl, EventsOf(10))).ToList();

        var received = new ReceivedItems<long>();
        var following = FollowAsync(Events.FollowAsync(crawl, ids[3], new CrawlEventFollowOptions { PageSize = pageSize }), received);
        for (var number = 11; number < 20; number++)
        {
            ids.Add(await Events.AppendAsync(crawl, Event(number)));
            if (number % 2 == 0)
            {
                await received.UntilCountAsync(ids.Count - 4);
            }
        }

        Assert.That(following.IsCompleted, Is.False);
        await Runs.CompleteAsync(crawl);
        await following;

        Assert.That(received.ToList(), Is.EqualTo(ids.Skip(4)));
    }

    [Test]
    public async Task A_crawl_is_followed_in_batches_until_its_run_has_ended()
    {
        var crawl = await CreateCrawlAsync();
        var ids = (await Events.AppendAsync(crawl, EventsOf(7))).ToList();
        var batches = Events.FollowBatchesAsync(crawl, ids[0], new CrawlEventFollowOptions { PageSize = 4 }).GetAsyncEnumerator();
        await using var batchesDisposal = batches;

        Assert.That(await batches.MoveNextAsync());
        Assert.That(batches.Current.Select(one => one.Id), Is.EqualTo(ids[1..5]));
        Assert.That(await batches.MoveNextAsync());
        Assert.That(batches.Current.Select(one => one.Id), Is.EqualTo(ids[5..]));
        var next = batches.MoveNextAsync().AsTask();
        ids.AddRange(await Events.AppendAsync(crawl, EventsOf(3)));
        Assert.That(await next);
        Assert.That(batches.Current.Select(one => one.Id), Is.EqualTo(ids[7..]));
        next = batches.MoveNextAsync().AsTask();
        await Runs.CancelAsync(crawl);
        Assert.That(await next, Is.False);
    }

    [TestCase(CrawlStatus.Completed)]
    [TestCase(CrawlStatus.Failed)]
    [TestCase(CrawlStatus.Cancelled)]
    public async Task Following_an_ended_run_returns_its_events_and_ends(CrawlStatus status)
    {
        var crawl = (await Runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app", Status = status })).Id;
        var ids = await Events.AppendAsync(crawl, EventsOf(2_500));

        var options = new CrawlEventFollowOptions { PollInterval = TimeWithoutPolls.PollInterval };
        Assert.That(await WithoutPolls(DataSource).FollowAsync(crawl, options: options).Select(one => one.Id).ToListAsync(), Is.EqualTo(ids));
    }

    /// <summary>Goes red when the status is read after the events.</summary>
    [Test]
    public async Task The_last_event_is_delivered_even_just_before_the_run_ends([Range(1, 4)] int round)
    {
        for (var attempt = 0; attempt < 50; attempt++)
        {
            var crawl = await CreateCrawlAsync();
            var following = Task.Run(
                async () => await Events.FollowAsync(crawl, options: new CrawlEventFollowOptions { PollInterval = TimeSpan.FromMilliseconds(1) }).CountAsync());
            await Events.AppendAsync(crawl, EventsOf(round));
            await Runs.CancelAsync(crawl);

            Assert.That(await following, Is.EqualTo(round));
        }
    }

    [Test]
    public async Task Following_an_unknown_or_deleted_crawl_throws()
    {
        var crawl = await CreateCrawlAsync();
        await Events.AppendAsync(crawl, Event(1));
        var received = new ReceivedItems<long>();
        var following = FollowAsync(Events.FollowAsync(crawl), received);
        await received.UntilCountAsync(1);
        await Runs.DeleteAsync(crawl);

        await Assert.ThatAsync(() => following, Throws.InstanceOf<RowNotFoundException>().With.Property("Ids").EqualTo(new[] { crawl }));
        await Assert.ThatAsync(async () => await Events.FollowAsync(Guid.NewGuid()).CountAsync(), Throws.InstanceOf<RowNotFoundException>());
    }

    [Test]
    public async Task Cancellation_ends_following_while_it_waits_and_while_an_event_is_handled([Values] bool listen)
    {
        var crawl = await CreateCrawlAsync();
        await Events.AppendAsync(crawl, EventsOf(10));
        using var waiting = new CancellationTokenSource();
        using var handling = new CancellationTokenSource();
        var events = WithoutPolls(DataSource);
        var options = Listening with { Listen = listen };
        var handled = 0;

        var received = new ReceivedItems<long>();
        var following = FollowAsync(events.FollowAsync(crawl, options: options, cancellationToken: waiting.Token), received);
        await received.UntilCountAsync(10);
        await waiting.CancelAsync();
        await Assert.ThatAsync(() => following, Throws.InstanceOf<OperationCanceledException>());
        await Assert.ThatAsync(async () =>
        {
            await foreach (var _ in events.FollowAsync(crawl, options: options, cancellationToken: handling.Token))
            {
                handled++;
                await handling.CancelAsync();
            }
        }, Throws.InstanceOf<OperationCanceledException>());

        Assert.That(handled, Is.EqualTo(1));
    }

    [Test]
    public async Task No_connection_is_held_while_an_event_is_handled_or_waited_for()
    {
        await using var dataSource = Pool(1);
        var events = new CrawlEventRepository(dataSource);
        var crawl = await CreateCrawlAsync();
        await events.AppendAsync(crawl, EventsOf(3));
        var all = events.FollowAllAsync().SelectMany(batch => batch.Events).Where(one => one.CrawlId == crawl).GetAsyncEnumerator();

        await foreach (var crawlEvent in events.FollowAsync(crawl))
        {
            await all.MoveNextAsync();
            Assert.That(all.Current, Is.EqualTo(crawlEvent));
            if (await events.CountAsync(crawl) < 6)
            {
                await events.AppendAsync(crawl, Event(4));
            }
            else
            {
                await new CrawlRunRepository(dataSource).CancelAsync(crawl);
            }
        }

        Assert.That(await events.CountAsync(crawl), Is.EqualTo(6));
        await all.DisposeAsync();
    }

    [Test]
    public async Task A_notification_wakes_a_follower_before_its_poll_interval([Values] bool all)
    {
        await using var dataSource = Pool(10);
        var events = new CrawlEventRepository(dataSource, notify: true);
        var crawl = await CreateCrawlAsync();
        var latencies = new List<TimeSpan>();
        var watch = new Stopwatch();
        using var given = new SemaphoreSlim(0);
        using var enough = new CancellationTokenSource();
        var followed = WithoutPolls(dataSource);
        var following = Task.Run(async () =>
        {
            var stream = all
                ? followed.FollowAllAsync(options: Listening, cancellationToken: enough.Token).SelectMany(batch => batch.Events)
                    .Where(one => one.CrawlId == crawl)
                : followed.FollowAsync(crawl, options: Listening, cancellationToken: enough.Token);
            await foreach (var _ in stream)
            {
                latencies.Add(watch.Elapsed);
                given.Release();
            }
        });

        for (var number = 0; number < 50; number++)
        {
            watch.Restart();
            await events.AppendAsync(crawl, Event(number));
            Assert.That(await given.WaitAsync(Wait.Longest), "no event");
        }

        await enough.CancelAsync();
        await Assert.ThatAsync(() => following, Throws.InstanceOf<OperationCanceledException>());
        TestContext.Out.WriteLine($"median {latencies.Order().ElementAt(25).TotalMilliseconds:0.0} ms, the longest {latencies.Max().TotalMilliseconds:0.0} ms");
    }

    /// <summary>A notification of another crawl makes the follower read while a transaction is open. It must not begin to wait for that one. It would learn of
    /// the transaction's event by one more notification only.</summary>
    [Test]
    public async Task An_event_is_yielded_without_a_poll_whose_transaction_was_open_during_a_read_of_all_crawls()
    {
        await using var dataSource = Pool(10, "all crawls");
        var events = new CrawlEventRepository(dataSource, notify: true);
        var (crawl, other) = (await CreateCrawlAsync(), await CreateCrawlAsync());
        using var enough = new CancellationTokenSource();
        await using var followed = WithoutPolls(dataSource).FollowAllAsync(options: Listening, cancellationToken: enough.Token)
            .SelectMany(batch => batch.Events).Where(one => one.CrawlId == crawl).GetAsyncEnumerator();
        await events.AppendAsync(crawl, Event(1));
        Assert.That(await followed.MoveNextAsync().AsTask().WaitAsync(Wait.Longest), "the first event");
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        var last = await Events.AppendAsync(crawl, Event(2), transaction);
        var next = followed.MoveNextAsync().AsTask();

        var before = await connection.QuerySingleAsync<DateTime>("select clock_timestamp()", transaction: transaction);
        events.Notify(other);
        await Wait.UntilAsync(
            DataSource,
            $"""
            select exists (
                select from pg_stat_activity
                where datname = current_database() and application_name = 'all crawls' and state = 'idle'
                  and query like '%crawl_events%' and query_start > '{before:O}')
            """);
        await transaction.CommitAsync();
        events.Notify(crawl);

        Assert.That(await next.WaitAsync(Wait.Longest), "the event of the transaction");
        Assert.That(followed.Current.Id, Is.EqualTo(last));
        await enough.CancelAsync();
    }

    [Test]
    public async Task Listening_followers_share_one_connection_and_the_last_one_closes_it()
    {
        await using var dataSource = Pool(10, "sharing");
        var events = new CrawlEventRepository(dataSource, notify: true);
        var crawls = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => CreateCrawlAsync()));
        using var enough = new CancellationTokenSource();
        var received = new ReceivedItems<long>();

        // Each follower has a repository of its own, as a request would create it.
        var following = crawls.Select(
            crawl => FollowAsync(WithoutPolls(dataSource).FollowAsync(crawl, options: Listening, cancellationToken: enough.Token), received)).ToList();

        await Wait.UntilAsync(
            DataSource,
            """
            select count(*) = 1 from pg_stat_activity
            where datname = current_database() and application_name = 'sharing' and query = 'listen crawldata_events'
            """);
        await events.AppendAsync([.. crawls.Select(crawl => (crawl, Event(1)))]);
        await received.UntilCountAsync(20);
        await enough.CancelAsync();
        await Task.WhenAll(following).ContinueWith(_ => { }, TaskScheduler.Default);
        await Wait.UntilAsync(
            DataSource,
            """
            select count(*) = 0 from pg_stat_activity
            where datname = current_database() and application_name = 'sharing' and query = 'listen crawldata_events'
            """);
    }

    [Test]
    public async Task A_listener_reconnects_after_its_connection_is_lost()
    {
        await using var dataSource = Pool(10, "lost");
        var events = new CrawlEventRepository(dataSource, notify: true);
        var crawl = await CreateCrawlAsync();
        using var given = new SemaphoreSlim(0);
        using var enough = new CancellationTokenSource();
        var following = Task.Run(async () =>
        {
            await foreach (var _ in WithoutPolls(dataSource).FollowAsync(crawl, options: Listening, cancellationToken: enough.Token))
            {
                given.Release();
            }
        });
        await events.AppendAsync(crawl, Event(1));
        await given.WaitAsync();

        await using (var terminate = DataSource.CreateCommand(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'lost'"))
        {
            await terminate.ExecuteNonQueryAsync();
        }

        await Events.AppendAsync(crawl, Event(2));

        // There is no notification: a listener that reconnects reads once.
        Assert.That(await given.WaitAsync(Wait.Longest), "no event");
        await enough.CancelAsync();
        await Assert.ThatAsync(() => following, Throws.InstanceOf<OperationCanceledException>());
    }

    [Test]
    public async Task A_caller_can_notify_after_it_commits_its_own_transaction()
    {
        var events = new CrawlEventRepository(DataSource, notify: true);
        var crawl = await CreateCrawlAsync();
        await events.AppendAsync(crawl, Event(1));
        await using var following = WithoutPolls(DataSource).FollowAsync(crawl, options: Listening).GetAsyncEnumerator();
        await following.MoveNextAsync();
        var next = following.MoveNextAsync();

        await using (var connection = await DataSource.OpenConnectionAsync())
        await using (var transaction = await connection.BeginTransactionAsync())
        {
            await events.AppendAsync(crawl, Event(2), transaction);
            await transaction.CommitAsync();
        }

        events.Notify(crawl);

        Assert.That(await next.AsTask().WaitAsync(Wait.Longest));
    }

    [Test]
    public async Task Listening_on_a_multiplexing_data_source_is_refused()
    {
        await using var dataSource = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(Database.ConnectionString) { Multiplexing = true });
        var crawl = await CreateCrawlAsync();

        await Assert.ThatAsync(
            async () => await new CrawlEventRepository(dataSource).FollowAsync(crawl, options: Listening).CountAsync(),
            Throws.InstanceOf<InvalidOperationException>());
    }

    [Test]
    public void Options_out_of_range_are_refused() => Assert.Multiple(() =>
    {
        Assert.That(
            () => new CrawlEventFollowOptions { PollInterval = TimeSpan.Zero },
            Throws.InstanceOf<ArgumentOutOfRangeException>().With.Property("ParamName").EqualTo("PollInterval"));
        Assert.That(
            () => new CrawlEventFollowOptions { PageSize = 0 },
            Throws.InstanceOf<ArgumentOutOfRangeException>().With.Property("ParamName").EqualTo("PageSize"));
    });

    private static Task FollowAsync(IAsyncEnumerable<CrawlEvent> events, ReceivedItems<long> received) => Task.Run(async () =>
    {
        await foreach (var crawlEvent in events)
        {
            received.Add(crawlEvent.Id);
        }
    });

    /// <summary>A repository whose followers never poll: they read only when a notification arrives.</summary>
    private static CrawlEventRepository WithoutPolls(NpgsqlDataSource dataSource) => new(dataSource, timeProvider: new TimeWithoutPolls());

    private NpgsqlDataSource Pool(int size, string? name = null) =>
        NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(Database.ConnectionString) { MaxPoolSize = size, ApplicationName = name });
}
