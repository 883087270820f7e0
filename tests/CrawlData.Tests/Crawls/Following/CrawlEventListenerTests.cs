using CrawlData.Crawls;
using CrawlData.Storage;
using CrawlData.Tests.Faults;
using Microsoft.Extensions.Time.Testing;
using Npgsql;

namespace CrawlData.Tests.Crawls;

/// <summary>Listeners and notifiers whose connection vanishes without a packet, and pools without a connection for them.</summary>
public class CrawlEventListenerTests : DatabaseTest
{
    private const int ListeningFailed = 30;
    private const int NotifyingFailed = 32;
    private const int NotListening = 33;

    private static readonly CrawlEventFollowOptions Listening = TimeWithoutPolls.Listening;

    /// <summary>The connection of a read vanishes with that of the listener.</summary>
    [Test]
    public async Task A_listener_whose_connection_vanishes_reports_it_and_listens_again()
    {
        await using var proxy = new FaultProxy(Database.ConnectionString);
        await using var dataSource = proxy.CreateDataSource(
            Database.ConnectionString, builder => (builder.CommandTimeout, builder.CancellationTimeout) = (2, -1));
        var (time, log) = (TimeWithChecks(), new LoggedEvents<CrawlEventRepository>(ListeningFailed));
        var crawl = await CreateCrawlAsync();
        await Events.AppendAsync(crawl, Event(1));
        var (reads, vanished) = (0, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        proxy.OnSent = (_, piece) =>
        {
            // The first read is the follower's own. The listener causes the second when it listens.
            if (piece.AsSpan().IndexOf("from crawl_events"u8) >= 0 && Interlocked.Increment(ref reads) == 2)
            {
                proxy.FreezeOpenConnections();
                vanished.SetResult();
            }

            return Fault.None;
        };
        using var enough = new CancellationTokenSource();
        var received = new ReceivedItems<long>();
        var following = FollowAsync(new CrawlEventRepository(dataSource, logger: log, timeProvider: time), crawl, received, enough.Token);
        await vanished.Task.WaitAsync(Wait.Longest);

        await Events.AppendAsync(crawl, Event(2));

        await log.Received.UntilCountAsync(1);
        await received.UntilCountAsync(2);
        await enough.CancelAsync();
        await Assert.ThatAsync(() => following, Throws.InstanceOf<OperationCanceledException>());
        Assert.That(log.Received.ToList(), Has.All.Contains("System.TimeoutException"));
    }

    [Test]
    public async Task A_listener_that_checks_an_idle_connection_keeps_it()
    {
        await using var dataSource = Pool(10, "checked");
        var (time, log) = (TimeWithChecks(), new LoggedEvents<CrawlEventRepository>(ListeningFailed));
        var notifying = new CrawlEventRepository(DataSource, notify: true);
        var crawl = await CreateCrawlAsync();
        using var enough = new CancellationTokenSource();
        var received = new ReceivedItems<long>();
        var following = FollowAsync(new CrawlEventRepository(dataSource, logger: log, timeProvider: time), crawl, received, enough.Token);
        const string Session = "select pid::text from pg_stat_activity where application_name = 'checked' and query = 'listen crawldata_events'";
        await time.Started.UntilCountAsync(4);
        var before = await ReadAsync(Session);

        await time.Started.UntilCountAsync(time.Started.Count + 8);
        await notifying.AppendAsync(crawl, Event(1));

        await received.UntilCountAsync(1);
        Assert.That(await ReadAsync(Session), Is.EqualTo(before));
        Assert.That(log.Received.ToList(), Is.Empty);
        await enough.CancelAsync();
        await Assert.ThatAsync(() => following, Throws.InstanceOf<OperationCanceledException>());
    }

    /// <summary>Goes red with the data source's command time-out, which is infinite here.</summary>
    [Test]
    public async Task A_notifier_whose_connection_vanishes_reports_it_and_goes_on()
    {
        await using var proxy = new FaultProxy(Database.ConnectionString);
        await using var dataSource = proxy.CreateDataSource(
            Database.ConnectionString, builder => (builder.CommandTimeout, builder.CancellationTimeout) = (0, -1));
        var log = new LoggedEvents<CrawlEventRepository>(NotifyingFailed);
        var notifying = new CrawlEventRepository(dataSource, notify: true, logger: log);
        var crawl = await CreateCrawlAsync();
        using var enough = new CancellationTokenSource();
        var received = new ReceivedItems<long>();
        var following = FollowAsync(new CrawlEventRepository(DataSource, timeProvider: new TimeWithoutPolls()), crawl, received, enough.Token);
        await notifying.AppendAsync(crawl, Event(1));
        await received.UntilCountAsync(1);

        proxy.FreezeOpenConnections();
        notifying.Notify(crawl);
        await log.Received.UntilCountAsync(1);
        dataSource.Clear();
        await Events.AppendAsync(crawl, Event(2));
        notifying.Notify(crawl);

        await received.UntilCountAsync(2);
        await enough.CancelAsync();
        await Assert.ThatAsync(() => following, Throws.InstanceOf<OperationCanceledException>());
    }

    /// <summary>A listener would keep the connection, and no follower could read.</summary>
    [Test]
    public async Task With_a_pool_of_one_connection_followers_poll_and_report_it_once()
    {
        await using var dataSource = Pool(1);
        var log = new LoggedEvents<CrawlEventRepository>(NotListening);
        var events = new CrawlEventRepository(dataSource, logger: log);
        var crawl = await CreateCrawlAsync();
        using var enough = new CancellationTokenSource();
        var received = new ReceivedItems<long>();
        Task[] following = [FollowAsync(events, crawl, received, enough.Token), FollowAsync(events, crawl, received, enough.Token)];

        await Events.AppendAsync(crawl, Event(1));

        await received.UntilCountAsync(2);
        Assert.That(log.Received.ToList(), Has.Count.EqualTo(1));
        await enough.CancelAsync();
        await Assert.ThatAsync(() => Task.WhenAll(following), Throws.InstanceOf<OperationCanceledException>());
    }

    /// <summary>The views of a data source of several hosts share its pools. The second host does not answer.</summary>
    [Test]
    public async Task Of_several_listeners_over_one_pool_none_takes_the_last_connection()
    {
        var settings = new NpgsqlConnectionStringBuilder(Database.ConnectionString) { MaxPoolSize = 2 };
        settings.Host = $"{settings.Host}:{settings.Port},127.0.0.1:1";
        await using var hosts = new NpgsqlDataSourceBuilder(settings.ConnectionString).BuildMultiHost();
        var log = new LoggedEvents<CrawlEventRepository>(NotListening);
        var crawl = await CreateCrawlAsync();
        using var enough = new CancellationTokenSource();
        var received = new ReceivedItems<long>();
        Task[] following =
        [
            .. new[] { TargetSessionAttributes.Primary, TargetSessionAttributes.Any, TargetSessionAttributes.ReadWrite }.Select(target =>
                FollowAsync(new CrawlEventRepository(hosts.WithTargetSession(target), logger: log), crawl, received, enough.Token)),
        ];

        await log.Received.UntilCountAsync(2);
        await Events.AppendAsync(crawl, Event(1));

        await received.UntilCountAsync(3);
        await enough.CancelAsync();
        await Assert.ThatAsync(() => Task.WhenAll(following), Throws.InstanceOf<OperationCanceledException>());
    }

    /// <summary>The clock stands still, so that no poll and no gap ends.</summary>
    [Test]
    public async Task A_role_that_may_only_connect_makes_a_follower_read_once_in_a_gap_and_the_follower_misses_nothing()
    {
        await using var proxy = new FaultProxy(Database.ConnectionString);
        await using var dataSource = proxy.CreateDataSource(Database.ConnectionString);
        var time = new FakeTimeProvider();
        var reads = new ReceivedItems<int>();
        proxy.OnSent = (number, piece) =>
        {
            if (piece.AsSpan().IndexOf("from crawl_events"u8) >= 0)
            {
                reads.Add(number);
            }

            return Fault.None;
        };
        var crawl = await CreateCrawlAsync();
        using var enough = new CancellationTokenSource();
        var received = new ReceivedItems<long>();
        var following = FollowAsync(new CrawlEventRepository(dataSource, timeProvider: time), crawl, received, enough.Token);

        // The follower's own, and one because the listener listens.
        await reads.UntilCountAsync(2);
        await NotifyAsConnectedRoleAsync(CrawlEventNotifier.ToPayload([crawl]), times: 200);
        var id = await Events.AppendAsync(crawl, Event(1));
        Assert.That(reads.Count, Is.EqualTo(2));

        time.Advance(PulseSignal.Gap);

        await received.UntilCountAsync(1);
        Assert.That((received.ToList(), reads.Count), Is.EqualTo((new[] { id }, 3)));
        await enough.CancelAsync();
        await Assert.ThatAsync(() => following, Throws.InstanceOf<OperationCanceledException>());
    }

    [Test]
    public async Task A_notification_has_no_ids()
    {
        var crawls = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => CreateCrawlAsync()));
        await using var connection = await DataSource.OpenConnectionAsync();
        var payloads = new ReceivedItems<string>();
        connection.Notification += (_, notification) => payloads.Add(notification.Payload);
        await using (var listen = new NpgsqlCommand(NotificationListener.ListenSql, connection))
        {
            await listen.ExecuteNonQueryAsync();
        }

        var expected = CrawlEventNotifier.ToPayload([crawls[0]]);
        new CrawlEventRepository(DataSource, notify: true).Notify(crawls[0]);
        while (!payloads.ToList().Contains(expected))
        {
            Assert.That(await connection.WaitAsync(Wait.Longest), "no notification");
        }

        Assert.That(crawls.Select(CrawlEventNotifier.ToTag), Is.Unique.And.All.Length.EqualTo(11));
        Assert.That(expected, Does.Not.Contain($"{crawls[0]}"[..8]).And.Not.Contain($"{crawls[0]:N}"[^8..]));
    }

    private static TimeWithoutPolls TimeWithChecks() => new(
        (NotificationListener.CheckInterval, TimeSpan.FromMilliseconds(20)),
        (NotificationListener.ReconnectAfter, TimeSpan.FromMilliseconds(10)));

    private static Task FollowAsync(CrawlEventRepository events, Guid crawl, ReceivedItems<long> received, CancellationToken cancellationToken) =>
        Task.Run(
            async () =>
            {
                await foreach (var crawlEvent in events.FollowAsync(crawl, options: Listening, cancellationToken: cancellationToken))
                {
                    received.Add(crawlEvent.Id);
                }
            },
            CancellationToken.None);

    private NpgsqlDataSource Pool(int size, string? name = null) =>
        NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(Database.ConnectionString) { MaxPoolSize = size, ApplicationName = name });

    private async Task NotifyAsConnectedRoleAsync(string payload, int times)
    {
        var role = $"connected_{Guid.NewGuid():N}";
        await ReadAsync($"create role {role} login password 'connected'");
        try
        {
            var settings = new NpgsqlConnectionStringBuilder(Database.ConnectionString) { Username = role, Password = "connected", Pooling = false };
            await using var connection = new NpgsqlConnection(settings.ConnectionString);
            await connection.OpenAsync();
            await using var notify = new NpgsqlCommand($"select pg_notify('{NotificationListener.EventChannel}', $1)", connection);
            notify.Parameters.AddWithValue(payload);
            for (var time = 0; time < times; time++)
            {
                await notify.ExecuteNonQueryAsync();
            }
        }
        finally
        {
            await ReadAsync($"drop role {role}");
        }
    }

    private async Task<object?> ReadAsync(string sql)
    {
        await using var command = DataSource.CreateCommand(sql);
        return await command.ExecuteScalarAsync();
    }
}
