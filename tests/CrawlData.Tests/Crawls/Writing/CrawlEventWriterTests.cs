using CrawlData.Crawls;
using CrawlData.Tests.Faults;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace CrawlData.Tests.Crawls;

public class CrawlEventWriterTests : DatabaseTest
{
    // No event is flushed by its age within this time.
    private static readonly TimeSpan Patient = TimeSpan.FromMinutes(1);

    [Test]
    public async Task A_flush_stores_all_written_events_in_their_order()
    {
        var crawls = new[] { await CreateCrawlAsync(), await CreateCrawlAsync(), await CreateCrawlAsync() };
        await using var writer = Writer(options => (options.Linger, options.BatchSize) = (Patient, 70));

        for (var number = 0; number < 1_000; number++)
        {
            await writer.WriteAsync(crawls[number % 3], Event(number));
        }

        await writer.FlushAsync();

        Assert.That(await NumbersAsync(crawls[0]), Is.EqualTo(Enumerable.Range(0, 1_000).Where(number => number % 3 == 0)));
        Assert.That(await NumbersAsync(crawls[1]), Is.EqualTo(Enumerable.Range(0, 1_000).Where(number => number % 3 == 1)));
        Assert.That(await NumbersAsync(crawls[2]), Is.EqualTo(Enumerable.Range(0, 1_000).Where(number => number % 3 == 2)));
    }

    [Test]
    public async Task A_flush_stores_the_events_of_a_crawl_together()
    {
        var crawls = new[] { await CreateCrawlAsync(), await CreateCrawlAsync() };
        await using var writer = Writer(options => options.Linger = Patient);

        for (var number = 0; number < 20; number++)
        {
            await writer.WriteAsync(crawls[number % 2], Event(number));
        }

        await writer.FlushAsync();

        // Other cases draw ids of the same sequence meanwhile.
        var first = await Events.StreamAsync(crawls[0]).ToListAsync();
        var second = await Events.StreamAsync(crawls[1]).ToListAsync();
        Assert.That((first.Count, second.Count), Is.EqualTo((10, 10)));
        Assert.That(first[^1].Id, Is.LessThan(second[0].Id));
    }

    [Test]
    public async Task An_awaited_event_is_stored_at_once_and_its_id_is_returned()
    {
        var crawl = await CreateCrawlAsync();
        await using var writer = Writer(options => options.Linger = Patient);
        await writer.WriteAsync(crawl, Event(1));

        var id = await writer.AppendAsync(crawl, Event(2));

        Assert.That(await NumbersAsync(crawl), Is.EqualTo(new[] { 1, 2 }));
        Assert.That((await Events.GetLastAsync(crawl))!.Id, Is.EqualTo(id));
    }

    [Test]
    public async Task Unawaited_events_are_flushed_by_count_by_size_and_by_age(
        [Values("count", "size", "age")] string by)
    {
        var crawl = await CreateCrawlAsync();
        await using var writer = Writer(options =>
        {
            options.Linger = by == "age" ? TimeSpan.FromMilliseconds(50) : Patient;
            options.BatchSize = by == "count" ? 3 : 1_000;
            options.BatchBytes = by == "size" ? 30 : 1_000;
        });

        for (var number = 1; number <= 3; number++)
        {
            await writer.WriteAsync(crawl, Event(number));
        }

        await Wait.UntilAsync(DataSource, $"select count(*) = 3 from crawl_events where crawl_id = '{crawl}'");
    }

    [Test]
    public async Task A_write_waits_while_the_buffer_is_full([Values] bool ofBytes)
    {
        var crawl = await CreateCrawlAsync();
        await using var writer = Writer(options =>
        {
            options.BatchSize = 1;
            options.Capacity = ofBytes ? 1_000 : 2;
            options.CapacityBytes = ofBytes ? 20 : 1_000;
        });
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await Events.AppendAsync(crawl, Event(0), transaction);

        // A call completes at once where the buffer has space; nothing leaves it before the commit.
        var writes = Enumerable.Range(1, 20).Select(number => writer.WriteAsync(crawl, Event(number))).ToList();
        await Wait.UntilBlockedByAsync(DataSource, connection);
        Assert.That(writes.Count(write => write.IsCompleted), Is.InRange(1, 5));
        Assert.That(writer.PendingCount, Is.EqualTo(20));
        await transaction.CommitAsync();
        await Task.WhenAll(writes);
        await writer.FlushAsync();
        Assert.That(writer.PendingCount, Is.Zero);

        Assert.That(await NumbersAsync(crawl), Is.EqualTo(Enumerable.Range(0, 21)));
    }

    [Test]
    public async Task Events_of_an_unknown_crawl_fail_alone_and_are_reported_until_they_are_taken()
    {
        var (crawl, other, unknown) = (await CreateCrawlAsync(), await CreateCrawlAsync(), Guid.NewGuid());
        await using var writer = Writer(options => options.Linger = Patient);
        await writer.WriteAsync(crawl, Event(1));
        await writer.WriteAsync(unknown, Event(2));
        await writer.WriteAsync(other, Event(3));
        await writer.WriteAsync(unknown, Event(4));
        await writer.WriteAsync(crawl, Event(5));

        var exception = await Assert.ThrowsAsync<CrawlEventsNotStoredException>(() => writer.FlushAsync());

        Assert.That(exception!.Events.Select(unstored => (unstored.CrawlId, unstored.Event)), Is.EqualTo(new[] { (unknown, Event(2)), (unknown, Event(4)) }));
        Assert.That(exception.Events.Select(unstored => unstored.Error), Is.All.InstanceOf<RowNotFoundException>());
        Assert.That(
            (await NumbersAsync(crawl), await NumbersAsync(other)),
            Is.EqualTo((new[] { 1, 5 }, new[] { 3 }))
                .Using<(int[], int[])>((one, two) => one.Item1.SequenceEqual(two.Item1) && one.Item2.SequenceEqual(two.Item2)));

        // Each later flush reports them as well.
        await Assert.ThatAsync(() => writer.FlushAsync(), Throws.InstanceOf<CrawlEventsNotStoredException>());
        Assert.That(writer.TakeUnstored(), Is.EqualTo(exception.Events));
        Assert.That(writer.TakeUnstored(), Is.Empty);
        await Assert.ThatAsync(() => writer.FlushAsync(), Throws.Nothing);
    }

    [Test]
    public async Task Each_awaiting_caller_receives_its_own_error()
    {
        var crawl = await CreateCrawlAsync();
        await using var writer = Writer(options => options.Linger = Patient);
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await Events.AppendAsync(crawl, Event(0), transaction);

        // These events gather behind a flush that waits for the lock, so that one flush stores them.
        var first = writer.AppendAsync(crawl, Event(1));
        await Wait.UntilBlockedByAsync(DataSource, connection);
        var bad = writer.AppendAsync(Guid.NewGuid(), Event(2));
        var good = writer.AppendAsync(crawl, Event(3));
        await transaction.CommitAsync();

        await Assert.ThatAsync(() => bad, Throws.InstanceOf<RowNotFoundException>());
        var ids = new[] { await first, await good };
        Assert.That((await Events.StreamAsync(crawl).ToListAsync()).Skip(1).Select(stored => stored.Id), Is.EqualTo(ids));
        await Assert.ThatAsync(() => writer.FlushAsync(), Throws.Nothing);
    }

    /// <summary>A trigger of the application raises such an error.</summary>
    [NotOnCitus]
    [Test]
    public async Task An_event_that_the_server_refuses_fails_alone()
    {
        await using (var trigger = DataSource.CreateCommand(
            """
            create function refuse() returns trigger language plpgsql as
                'begin if new.event_type = ''refused'' then raise exception ''refused'' using errcode = ''23514''; end if; return new; end';
            create trigger refuse before insert on crawl_events for each row execute function refuse()
            """))
        {
            await trigger.ExecuteNonQueryAsync();
        }

        var crawls = new[] { await CreateCrawlAsync(), await CreateCrawlAsync() };
        await using var writer = Writer(options => options.Linger = Patient);
        for (var number = 0; number < 1_500; number++)
        {
            await writer.WriteAsync(crawls[number % 2], Event(number, number is 700 or 701 or 1_400 ? "refused" : "step"));
        }

        var exception = await Assert.ThrowsAsync<CrawlEventsNotStoredException>(() => writer.FlushAsync());

        Assert.That(
            exception!.Events.Select(unstored => unstored.Event),
            Is.EquivalentTo(new[] { Event(700, "refused"), Event(701, "refused"), Event(1_400, "refused") }));
        writer.TakeUnstored();
        Assert.That(await NumbersAsync(crawls[0]), Is.EqualTo(Enumerable.Range(0, 1_500).Where(number => number % 2 == 0 && number is not (700 or 1_400))));
        Assert.That(await NumbersAsync(crawls[1]), Is.EqualTo(Enumerable.Range(0, 1_500).Where(number => number % 2 == 1 && number != 701)));
    }

    [Test]
    public async Task A_crawl_accepts_no_events_until_its_unstored_events_are_taken()
    {
        var (crawl, unknown) = (await CreateCrawlAsync(), Guid.NewGuid());
        await using var writer = Writer(options => options.Linger = TimeSpan.Zero);
        await writer.WriteAsync(unknown, Event(1));
        await writer.AppendAsync(crawl, Event(2));

        await Assert.ThatAsync(() => writer.WriteAsync(unknown, Event(3)), Throws.InstanceOf<CrawlEventsNotStoredException>());
        await Assert.ThatAsync(() => writer.AppendAsync(unknown, Event(3)), Throws.InstanceOf<CrawlEventsNotStoredException>());
        await writer.AppendAsync(crawl, Event(4));
        await Assert.ThatAsync(() => writer.FlushAsync(), Throws.InstanceOf<CrawlEventsNotStoredException>().With.Property("Events").Count.EqualTo(1));
        Assert.That(writer.TakeUnstored(), Has.Count.EqualTo(1));
        await Assert.ThatAsync(() => writer.WriteAsync(unknown, Event(5)), Throws.Nothing);
        await Assert.ThatAsync(() => writer.FlushAsync(), Throws.InstanceOf<CrawlEventsNotStoredException>());
        writer.TakeUnstored();
    }

    [Test]
    public async Task A_cancelled_flush_leaves_its_events_written()
    {
        var crawl = await CreateCrawlAsync();
        await using var writer = Writer(options => options.Linger = Patient);
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await Events.AppendAsync(crawl, Event(0), transaction);
        await writer.WriteAsync(crawl, Event(1));
        await writer.WriteAsync(Guid.NewGuid(), Event(2));
        using var cancellation = new CancellationTokenSource();

        var left = writer.FlushAsync(cancellation.Token);
        await Wait.UntilBlockedByAsync(DataSource, connection);
        await cancellation.CancelAsync();
        await Assert.ThatAsync(() => left, Throws.InstanceOf<OperationCanceledException>());
        await transaction.CommitAsync();

        await Assert.ThatAsync(() => writer.FlushAsync(), Throws.InstanceOf<CrawlEventsNotStoredException>());
        writer.TakeUnstored();
        Assert.That(await NumbersAsync(crawl), Is.EqualTo(new[] { 0, 1 }));
    }

    [Test]
    public async Task Disposal_stores_the_remaining_events_and_reports_those_it_could_not()
    {
        var crawl = await CreateCrawlAsync();
        var writer = Writer(options => options.Linger = Patient);
        await writer.WriteAsync(crawl, Event(1));
        await writer.WriteAsync(Guid.NewGuid(), Event(2));

        await Assert.ThatAsync(() => writer.DisposeAsync().AsTask(), Throws.InstanceOf<CrawlEventsNotStoredException>());

        Assert.That(await NumbersAsync(crawl), Is.EqualTo(new[] { 1 }));
        await Assert.ThatAsync(() => writer.WriteAsync(crawl, Event(3)), Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(writer.TakeUnstored(), Has.Count.EqualTo(1));
        await Assert.ThatAsync(() => writer.DisposeAsync().AsTask(), Throws.Nothing);
    }

    [Test]
    public async Task Events_are_returned_to_the_caller_after_an_outage_beyond_the_retry_limit()
    {
        await using var proxy = new FaultProxy(Database.ConnectionString);
        await using var dataSource = proxy.CreateDataSource(Database.ConnectionString);
        var crawl = await CreateCrawlAsync();
        await using var writer = new CrawlEventWriter(
            new CrawlEventRepository(dataSource), new CrawlEventWriterOptions { RetryLimit = TimeSpan.FromMilliseconds(500) });
        await writer.AppendAsync(crawl, Event(1));
        (proxy.Down, proxy.OnSent) = (true, (_, _) => Fault.CutBefore);

        await writer.WriteAsync(crawl, Event(2));
        var exception = await Assert.ThrowsAsync<CrawlEventsNotStoredException>(() => writer.FlushAsync());
        (proxy.Down, proxy.OnSent) = (false, (_, _) => Fault.None);
        Assert.That(exception!.Events, Has.Count.EqualTo(1));
        foreach (var unstored in writer.TakeUnstored())
        {
            await writer.WriteAsync(unstored.CrawlId, unstored.Event);
        }

        await writer.FlushAsync();

        Assert.That(await NumbersAsync(crawl), Is.EqualTo(new[] { 1, 2 }));
    }

    /// <summary>Goes red when events behind unstored ones are stored without them.</summary>
    [Test]
    public async Task Events_written_after_unstored_events_are_stored_after_them()
    {
        await using var proxy = new FaultProxy(Database.ConnectionString);
        await using var dataSource = proxy.CreateDataSource(Database.ConnectionString);
        var (crawl, other) = (await CreateCrawlAsync(), await CreateCrawlAsync());
        await using var writer = new CrawlEventWriter(
            new CrawlEventRepository(dataSource),
            new CrawlEventWriterOptions { RetryLimit = TimeSpan.FromMilliseconds(300), Linger = TimeSpan.Zero, BatchSize = 1 });
        (proxy.Down, proxy.OnSent) = (true, (_, _) => Fault.CutBefore);

        // The first batch fails. The second one is flushed when the server is available again.
        await writer.WriteAsync(crawl, Event(1));
        await writer.WriteAsync(crawl, Event(2));
        await writer.WriteAsync(other, Event(3));
        await Wait.UntilAsync(() => Task.FromResult(HasUnstored(writer, crawl)), "the first batch failed");
        (proxy.Down, proxy.OnSent) = (false, (_, _) => Fault.None);
        await Assert.ThatAsync(() => writer.FlushAsync(), Throws.InstanceOf<CrawlEventsNotStoredException>());
        foreach (var unstored in writer.TakeUnstored())
        {
            await writer.WriteAsync(unstored.CrawlId, unstored.Event);
        }

        await writer.FlushAsync();

        Assert.That(await NumbersAsync(crawl), Is.EqualTo(new[] { 1, 2 }));
        Assert.That(await NumbersAsync(other), Is.EqualTo(new[] { 3 }));
    }

    /// <summary>Goes red when waiting calls are admitted out of their order, or all at once.</summary>
    [Test]
    public async Task Unawaited_calls_keep_their_order_and_the_bounds([Values] bool ofBytes)
    {
        var crawl = await CreateCrawlAsync();
        await using var writer = Writer(options =>
        {
            options.Capacity = ofBytes ? 1_000 : 5;
            options.CapacityBytes = ofBytes ? 70 : 100_000;
        });

        var ids = await Task.WhenAll(Enumerable.Range(0, 500).Select(number => writer.AppendAsync(crawl, Event(number))).ToList());

        Assert.That(ids, Is.Ordered);
        Assert.That(await NumbersAsync(crawl), Is.EqualTo(Enumerable.Range(0, 500)));
    }

    /// <summary>Goes red when a flush waits for its age though the full buffer blocks all writes.</summary>
    [Test]
    public async Task A_full_buffer_is_flushed_at_once_even_below_the_batch_size()
    {
        var crawl = await CreateCrawlAsync();
        await using var writer = Writer(options => (options.Linger, options.Capacity) = (Patient, 5));

        for (var number = 0; number < 23; number++)
        {
            await writer.WriteAsync(crawl, Event(number)).WaitAsync(Wait.Longest);
        }

        await writer.FlushAsync();
        Assert.That(await NumbersAsync(crawl), Is.EqualTo(Enumerable.Range(0, 23)));
    }

    [Test]
    public async Task A_cancelled_wait_for_space_writes_nothing()
    {
        var crawl = await CreateCrawlAsync();
        await using var writer = Writer(options => options.Capacity = 1);
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await Events.AppendAsync(crawl, Event(0), transaction);
        using var cancellation = new CancellationTokenSource();

        var first = writer.AppendAsync(crawl, Event(1));
        var cancelled = writer.WriteAsync(crawl, Event(2), cancellation.Token);
        var last = writer.WriteAsync(crawl, Event(3));
        await cancellation.CancelAsync();
        await Assert.ThatAsync(() => cancelled, Throws.InstanceOf<OperationCanceledException>());
        await transaction.CommitAsync();
        await first;
        await last;
        await writer.FlushAsync();

        Assert.That(await NumbersAsync(crawl), Is.EqualTo(new[] { 0, 1, 3 }));
    }

    [Test]
    public async Task Concurrent_writes_keep_the_order_of_each_task_s_events()
    {
        var crawls = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => CreateCrawlAsync()));
        await using var writer = Writer(options => options.Capacity = 50);

        await Task.WhenAll(Enumerable.Range(0, 16).Select(producer => Task.Run(async () =>
        {
            for (var number = 0; number < 200; number++)
            {
                var crawlEvent = new NewCrawlEvent { EventType = "step", Payload = Jsonb.From(new { producer, number }) };
                if (number % 20 == 7)
                {
                    await writer.AppendAsync(crawls[producer % 5], crawlEvent);
                }
                else
                {
                    await writer.WriteAsync(crawls[producer % 5], crawlEvent);
                }
            }
        })));
        await writer.FlushAsync();

        var stored = new List<(int Producer, int Number)>();
        foreach (var crawl in crawls)
        {
            stored.AddRange((await Events.StreamAsync(crawl).ToListAsync()).Select(crawlEvent => (
                crawlEvent.Payload.ToElement().GetProperty("producer").GetInt32(), crawlEvent.Payload.ToElement().GetProperty("number").GetInt32())));
        }

        Assert.That(stored, Has.Count.EqualTo(16 * 200));
        foreach (var ofProducer in stored.GroupBy(one => one.Producer))
        {
            Assert.That(ofProducer.Select(one => one.Number), Is.EqualTo(Enumerable.Range(0, 200)));
        }
    }

    /// <summary>Goes red without the flush at shutdown: the service writes an event while it stops.</summary>
    [Test]
    public async Task A_stopping_host_stores_the_events_that_its_services_write_as_they_stop()
    {
        var crawl = await CreateCrawlAsync();
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddSingleton(DataSource);
        builder.Services.AddCrawlData(options => (options.MigrateAtStartup, options.Writer.Linger) = (false, Patient));
        builder.Services.AddSingleton<IHostedService>(services => new WritesWhenItStops(services.GetRequiredService<CrawlEventWriter>(), crawl));
        using var host = builder.Build();

        await host.StartAsync();
        await host.StopAsync();

        Assert.That(await NumbersAsync(crawl), Is.EqualTo(new[] { 7 }));
    }

    [Test]
    public void Options_out_of_range_are_refused() => Assert.Multiple(() =>
    {
        Assert.That(
            () => new CrawlEventWriterOptions { BatchSize = 0 },
            Throws.InstanceOf<ArgumentOutOfRangeException>().With.Property("ParamName").EqualTo("BatchSize"));
        Assert.That(
            () => new CrawlEventWriterOptions { Linger = TimeSpan.FromHours(1) },
            Throws.InstanceOf<ArgumentOutOfRangeException>().With.Property("ParamName").EqualTo("Linger"));
        Assert.That(
            () => new CrawlEventWriterOptions { CapacityBytes = -1 },
            Throws.InstanceOf<ArgumentOutOfRangeException>().With.Property("ParamName").EqualTo("CapacityBytes"));
    });

    private CrawlEventWriter Writer(Action<CrawlEventWriterOptions>? configure = null)
    {
        var options = new CrawlEventWriterOptions();
        configure?.Invoke(options);
        return new CrawlEventWriter(Events, options);
    }

    private static bool HasUnstored(CrawlEventWriter writer, Guid crawl)
    {
        // The cancelled call writes nothing.
        return writer.WriteAsync(crawl, Event(0), new CancellationToken(canceled: true)).Exception?.InnerException is CrawlEventsNotStoredException;
    }

    private async Task<int[]> NumbersAsync(Guid crawl) =>
        [.. (await Events.StreamAsync(crawl).ToListAsync()).Select(crawlEvent => crawlEvent.Payload.ToElement().GetProperty("number").GetInt32())];

    private sealed class WritesWhenItStops(CrawlEventWriter writer, Guid crawl) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => writer.WriteAsync(crawl, Event(7), cancellationToken);
    }
}
