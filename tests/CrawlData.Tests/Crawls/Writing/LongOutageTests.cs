using CrawlData.Crawls;
using CrawlData.Tests.Faults;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Time.Testing;
using Npgsql;

namespace CrawlData.Tests.Crawls;

/// <summary>A writer without a limit of retries rides out an outage of ten minutes. No case waits so long: it advances the clock. The cases run one after the
/// other, because they look at a metric of the database.</summary>
[Parallelizable(ParallelScope.Self)]
public sealed class LongOutageTests : DatabaseTest
{
    private static readonly TimeSpan TenMinutes = TimeSpan.FromMinutes(10);

    private FaultProxy proxy = null!;
    private NpgsqlDataSource dataSource = null!;
    private RetryDurations retries = null!;

    [SetUp]
    public void StartProxy()
    {
        proxy = new FaultProxy(Database.ConnectionString);
        dataSource = proxy.CreateDataSource(Database.ConnectionString);
        retries = new RetryDurations(Database.ConnectionString);
    }

    [TearDown]
    public async Task StopProxyAsync()
    {
        retries.Dispose();
        await dataSource.DisposeAsync();
        await proxy.DisposeAsync();
    }

    [Test]
    public async Task An_outage_of_ten_minutes_loses_nothing_and_ends_by_itself()
    {
        var time = new TimeWithoutPauses();
        var (retried, again) = (new LoggedEvents<CrawlEventRepository>(10), new LoggedEvents<CrawlEventWriter>(23));
        var crawl = await CreateCrawlAsync();
        await using var writer = new CrawlEventWriter(
            new CrawlEventRepository(dataSource, logger: retried, timeProvider: time), new CrawlEventWriterOptions { Capacity = 10 }, again, time);
        await writer.AppendAsync(crawl, Event(0));

        (proxy.Down, proxy.OnSent) = (true, (_, _) => Fault.CutBefore);
        var writing = Task.Run(async () =>
        {
            for (var number = 1; number <= 30; number++)
            {
                await writer.WriteAsync(crawl, Event(number));
            }
        });
        await retries.UntilRetriedAsync();
        time.Advance(TenMinutes);
        await retries.UntilRetriedAsync(20);

        // The buffer is full, and a flush waits until its token ends it.
        Assert.That(writing.IsCompleted, Is.False);
        using var impatient = new CancellationTokenSource();
        var flush = writer.FlushAsync(impatient.Token);
        await impatient.CancelAsync();
        await Assert.ThatAsync(() => flush, Throws.InstanceOf<OperationCanceledException>());
        Assert.That(writer.TakeUnstored(), Is.Empty);
        Assert.That(retries.Received.ToList()[^1], Is.EqualTo(TenMinutes.TotalSeconds));
        Assert.That(retried.Received.Count, Is.LessThan(10));

        (proxy.Down, proxy.OnSent) = (false, (_, _) => Fault.None);
        await writing.WaitAsync(Wait.Longest);
        await writer.FlushAsync().WaitAsync(Wait.Longest);

        Assert.That(await NumbersAsync(crawl), Is.EqualTo(Enumerable.Range(0, 31)));
        Assert.That(retries.Received.ToList()[^1], Is.Zero);
        Assert.That(again.Received.ToList(), Is.EqualTo(new[] { "The writer stores events again, after retrying for 600.0 s." }));
    }

    /// <summary>The COMMIT takes place, and its answer is lost with the server.</summary>
    [Test]
    public async Task A_commit_is_verified_after_an_outage_of_ten_minutes()
    {
        var time = new TimeWithoutPauses();
        var crawl = await CreateCrawlAsync();
        await using var writer = new CrawlEventWriter(new CrawlEventRepository(dataSource, timeProvider: time), timeProvider: time);
        await writer.AppendAsync(crawl, Event(0));

        proxy.OnSent = (_, piece) =>
        {
            proxy.Down |= FaultProxy.IsCommit(piece);
            return proxy.Down ? Fault.CutAfter : Fault.None;
        };
        var append = writer.AppendAsync(crawl, Event(1));
        await retries.UntilRetriedAsync();
        time.Advance(TenMinutes);
        await retries.UntilRetriedAsync();
        (proxy.OnSent, proxy.Down) = ((_, _) => Fault.None, false);

        var id = await append.WaitAsync(Wait.Longest);
        Assert.That((await Events.GetLastAsync(crawl))!.Id, Is.EqualTo(id));
        Assert.That(await NumbersAsync(crawl), Is.EqualTo(new[] { 0, 1 }));
    }

    [Test]
    public async Task A_crawl_that_is_locked_for_ten_minutes_is_stored_when_it_is_unlocked()
    {
        var crawl = await CreateCrawlAsync();
        var time = new FakeTimeProvider();
        await using var holder = await DataSource.OpenConnectionAsync();
        await holder.BeginTransactionAsync();
        await using var locking = new NpgsqlCommand("select from crawl_runs where id = $1 for no key update", holder);
        locking.Parameters.AddWithValue(crawl);
        await locking.ExecuteNonQueryAsync();
        var waits = new ReceivedItems<byte[]>();
        proxy.OnSent = (_, piece) =>
        {
            waits.Add(piece.AsSpan().IndexOf("for no key update\n"u8) >= 0 ? [piece] : []);
            return Fault.None;
        };
        await using var writer = new CrawlEventWriter(new CrawlEventRepository(dataSource, timeProvider: time), timeProvider: time);

        var append = writer.AppendAsync(crawl, Event(0));
        await waits.UntilCountAsync(1);
        await Wait.UntilBlockedByAsync(DataSource, holder);
        time.Advance(TenMinutes);

        // A limit would have failed the event before it waits again.
        await waits.UntilCountAsync(2);
        Assert.That(append.IsCompleted, Is.False);
        await holder.CloseAsync();

        await append.WaitAsync(Wait.Longest);
        Assert.That(await NumbersAsync(crawl), Is.EqualTo(new[] { 0 }));
    }

    [Test]
    public async Task Disposal_during_an_outage_returns_the_events_after_the_repository_s_limit()
    {
        var time = new FakeTimeProvider();
        var crawl = await CreateCrawlAsync();
        var writer = new CrawlEventWriter(
            new CrawlEventRepository(dataSource, timeProvider: time), new CrawlEventWriterOptions { Linger = TimeSpan.Zero }, timeProvider: time);
        proxy.Down = true;
        await writer.WriteAsync(crawl, Event(0));
        await retries.UntilRetriedAsync(1);
        time.Advance(TenMinutes);
        await writer.WriteAsync(crawl, Event(1));

        var disposal = writer.DisposeAsync().AsTask();
        Assert.That(disposal.IsCompleted, Is.False);
        time.Advance(TimeSpan.FromSeconds(30));

        var exception = await Assert.ThrowsAsync<CrawlEventsNotStoredException>(() => disposal.WaitAsync(Wait.Longest));
        Assert.That(exception!.Events.Select(one => one.Error), Is.All.InstanceOf<NpgsqlException>());
        Assert.That(writer.TakeUnstored().Select(one => one.Event), Is.EqualTo(new[] { Event(0), Event(1) }));
    }

    [Test]
    public async Task A_host_whose_time_to_stop_is_up_returns_the_events_at_once()
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.FromMilliseconds(100));
        builder.Services.AddSingleton(dataSource);
        builder.Services.AddCrawlData(options => (options.MigrateAtStartup, options.Retry.Limit) = (false, TimeSpan.FromDays(1)));
        var host = builder.Build();
        await host.StartAsync();
        var writer = host.Services.GetRequiredService<CrawlEventWriter>();
        var crawl = await CreateCrawlAsync();
        proxy.Down = true;
        await writer.WriteAsync(crawl, Event(0));

        await Assert.ThatAsync(() => host.StopAsync(), Throws.InstanceOf<OperationCanceledException>());

        await Assert.ThatAsync(
            () => ((IAsyncDisposable)host).DisposeAsync().AsTask().WaitAsync(Wait.Longest), Throws.InstanceOf<CrawlEventsNotStoredException>());
        Assert.That(writer.TakeUnstored().Select(one => one.Event), Is.EqualTo(new[] { Event(0) }));
    }

    [Test]
    public async Task An_error_that_is_not_transient_is_not_retried()
    {
        var withoutTables = new NpgsqlConnectionStringBuilder(Database.ConnectionString) { SearchPath = "pg_catalog" };
        await using var wrong = NpgsqlDataSource.Create(withoutTables);
        await using var writer = new CrawlEventWriter(new CrawlEventRepository(wrong));

        await Assert.ThatAsync(
            () => writer.AppendAsync(Guid.NewGuid(), Event(0)).WaitAsync(Wait.Longest),
            Throws.InstanceOf<PostgresException>().With.Property("SqlState").EqualTo(PostgresErrorCodes.UndefinedTable));
    }

    /// <summary>Goes red when the flush is retried whole, or fails whole.</summary>
    [Test]
    public async Task An_event_that_exceeds_the_server_s_statement_timeout_fails_alone()
    {
        await using var trigger = DataSource.CreateCommand(
            """
            create function sleep() returns trigger language plpgsql as
                'begin if new.event_type = ''slow'' then perform pg_sleep(20); end if; return new; end';
            create trigger sleep before insert on crawl_events for each row execute function sleep()
            """);
        await trigger.ExecuteNonQueryAsync();
        var crawl = await CreateCrawlAsync();
        await using var limited = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(Database.ConnectionString) { MaxPoolSize = 1, NoResetOnClose = true });

        // Not from the start: what the driver reads as it opens the connection would count.
        await using (var limit = limited.CreateCommand("set statement_timeout = 500"))
        {
            await limit.ExecuteNonQueryAsync();
        }

        await using var writer = new CrawlEventWriter(
            new CrawlEventRepository(limited, retry: new RetryOptions { Limit = TimeSpan.Zero }),
            new CrawlEventWriterOptions { Linger = TimeSpan.FromMinutes(1) });
        for (var number = 0; number < 4; number++)
        {
            await writer.WriteAsync(crawl, Event(number, number == 3 ? "slow" : "step"));
        }

        await Assert.ThatAsync(() => writer.FlushAsync().WaitAsync(Wait.Longest), Throws.InstanceOf<CrawlEventsNotStoredException>());

        Assert.That(
            writer.TakeUnstored().Single().Error, Is.InstanceOf<PostgresException>().With.Property("SqlState").EqualTo(PostgresErrorCodes.QueryCanceled));
        Assert.That(await NumbersAsync(crawl), Is.EqualTo(new[] { 0, 1, 2 }));
    }

    private async Task<int[]> NumbersAsync(Guid crawl) =>
        [.. (await Events.StreamAsync(crawl).ToListAsync()).Select(crawlEvent => crawlEvent.Payload.ToElement().GetProperty("number").GetInt32())];
}
