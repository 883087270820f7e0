using CrawlData.Crawls;
using CrawlData.Tests.Faults;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace CrawlData.Tests.Crawls;

public sealed class CrawlEventWriterTests : DatabaseTest
{
    // So long that nothing is flushed by its age.
    private static readonly TimeSpan Patient = TimeSpan.FromMinutes(1);

    [Test]
    public async Task After_a_flush_everything_written_before_is_stored_in_the_order_of_the_writes()
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
    public async Task In_a_flush_the_events_of_a_crawl_are_neighbours()
    {
        var crawls = new[] { await CreateCrawlAsync(), await CreateCrawlAsync() };
        await using var writer = Writer(options => options.Linger = Patient);

        for (var number = 0; number < 20; number++)
        {
            await writer.WriteAsync(crawls[number % 2], Event(number));
        }

        await writer.FlushAsync();

        var ids = (await Events.StreamAsync(crawls[0]).ToListAsync()).Select(crawlEvent => crawlEvent.Id).ToList();
        Assert.That(ids, Is.EqualTo(Enumerable.Range(0, 10).Select(offset => ids[0] + offset)));
    }

    [Test]
    public async Task An_event_that_is_waited_for_is_stored_at_once_and_its_id_is_told()
    {
        var crawl = await CreateCrawlAsync();
        await using var writer = Writer(options => options.Linger = Patient);
        await writer.WriteAsync(crawl, Event(1));

        var id = await writer.AppendAsync(crawl, Event(2));

        Assert.That(await NumbersAsync(crawl), Is.EqualTo(new[] { 1, 2 }));
        Assert.That((await Events.GetLastAsync(crawl))!.Id, Is.EqualTo(id));
    }

    [Test]
    public async Task Events_that_nobody_waits_for_are_flushed_by_count_by_size_and_by_age(
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

        await Wait.UntilAsync(DataSource, $"select count(*) = 3 from crawl_events where crawl_id = '{crawl}'", TimeSpan.FromSeconds(10));
    }

    [Test]
    public async Task Who_writes_waits_while_the_buffer_is_full([Values] bool ofBytes)
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
        var written = 0;

        var writing = Task.Run(async () =>
        {
            for (var number = 1; number <= 20; number++)
            {
                await writer.WriteAsync(crawl, Event(number));
                Interlocked.Increment(ref written);
            }
        });
        await Wait.UntilBlockedByAsync(DataSource, connection);
        await Task.Delay(100);
        Assert.That(Volatile.Read(ref written), Is.LessThan(6));
        await transaction.CommitAsync();
        await writing;
        await writer.FlushAsync();

        Assert.That(await NumbersAsync(crawl), Is.EqualTo(Enumerable.Range(0, 21)));
    }

    [Test]
    public async Task An_unknown_crawl_takes_no_other_down_and_is_told_of_until_its_events_are_taken()
    {
        var (crawl, other, nobody) = (await CreateCrawlAsync(), await CreateCrawlAsync(), Guid.NewGuid());
        await using var writer = Writer(options => options.Linger = Patient);
        await writer.WriteAsync(crawl, Event(1));
        await writer.WriteAsync(nobody, Event(2));
        await writer.WriteAsync(other, Event(3));
        await writer.WriteAsync(nobody, Event(4));
        await writer.WriteAsync(crawl, Event(5));

        var exception = await Assert.ThrowsAsync<CrawlEventsNotStoredException>(() => writer.FlushAsync());

        Assert.That(exception!.Events.Select(unstored => (unstored.CrawlId, unstored.Event)), Is.EqualTo(new[] { (nobody, Event(2)), (nobody, Event(4)) }));
        Assert.That(exception.Events.Select(unstored => unstored.Error), Is.All.InstanceOf<RowNotFoundException>());
        Assert.That((await NumbersAsync(crawl), await NumbersAsync(other)), Is.EqualTo((new[] { 1, 5 }, new[] { 3 })).Using<(int[], int[])>((one, two) => one.Item1.SequenceEqual(two.Item1) && one.Item2.SequenceEqual(two.Item2)));

        // Whoever flushes next has written before, too.
        await Assert.ThatAsync(() => writer.FlushAsync(), Throws.InstanceOf<CrawlEventsNotStoredException>());
        Assert.That(writer.TakeUnstored(), Is.EqualTo(exception.Events));
        Assert.That(writer.TakeUnstored(), Is.Empty);
        await Assert.ThatAsync(() => writer.FlushAsync(), Throws.Nothing);
    }

    [Test]
    public async Task Who_waits_for_an_event_gets_its_error_and_others_theirs()
    {
        var crawl = await CreateCrawlAsync();
        await using var writer = Writer(options => options.Linger = Patient);
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await Events.AppendAsync(crawl, Event(0), transaction);

        // Behind a flush that waits for the lock, so that they come into one.
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

    /// <summary>Such as a trigger of the application's raises.</summary>
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

        Assert.That(exception!.Events.Select(unstored => unstored.Event), Is.EquivalentTo(new[] { Event(700, "refused"), Event(701, "refused"), Event(1_400, "refused") }));
        writer.TakeUnstored();
        Assert.That(await NumbersAsync(crawls[0]), Is.EqualTo(Enumerable.Range(0, 1_500).Where(number => number % 2 == 0 && number is not (700 or 1_400))));
        Assert.That(await NumbersAsync(crawls[1]), Is.EqualTo(Enumerable.Range(0, 1_500).Where(number => number % 2 == 1 && number != 701)));
    }

    [Test]
    public async Task A_crawl_takes_no_more_until_what_was_not_stored_is_taken()
    {
        var (crawl, nobody) = (await CreateCrawlAsync(), Guid.NewGuid());
        await using var writer = Writer(options => options.Linger = TimeSpan.Zero);
        await writer.WriteAsync(nobody, Event(1));
        await writer.AppendAsync(crawl, Event(2));

        await Assert.ThatAsync(() => writer.WriteAsync(nobody, Event(3)), Throws.InstanceOf<CrawlEventsNotStoredException>());
        await Assert.ThatAsync(() => writer.AppendAsync(nobody, Event(3)), Throws.InstanceOf<CrawlEventsNotStoredException>());
        await writer.AppendAsync(crawl, Event(4));
        await Assert.ThatAsync(() => writer.FlushAsync(), Throws.InstanceOf<CrawlEventsNotStoredException>().With.Property("Events").Count.EqualTo(1));
        Assert.That(writer.TakeUnstored(), Has.Count.EqualTo(1));
        await Assert.ThatAsync(() => writer.WriteAsync(nobody, Event(5)), Throws.Nothing);
        await Assert.ThatAsync(() => writer.FlushAsync(), Throws.InstanceOf<CrawlEventsNotStoredException>());
        writer.TakeUnstored();
    }

    [Test]
    public async Task A_flush_that_nobody_waits_for_any_more_leaves_its_events_written()
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
    public async Task Disposing_stores_what_is_left_and_tells_what_it_could_not()
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
    public async Task When_the_database_is_away_for_longer_than_the_limit_the_events_are_given_back()
    {
        await using var proxy = new FaultProxy(Database.ConnectionString);
        await using var dataSource = proxy.CreateDataSource(Database.ConnectionString);
        var crawl = await CreateCrawlAsync();
        await using var writer = new CrawlEventWriter(new CrawlEventRepository(dataSource, retry: new RetryOptions { Limit = TimeSpan.FromMilliseconds(500) }));
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

    /// <summary>Goes red when what is behind events that could not be stored is stored without them.</summary>
    [Test]
    public async Task Events_that_were_written_behind_those_of_an_outage_come_after_them()
    {
        await using var proxy = new FaultProxy(Database.ConnectionString);
        await using var dataSource = proxy.CreateDataSource(Database.ConnectionString);
        var (crawl, other) = (await CreateCrawlAsync(), await CreateCrawlAsync());
        await using var writer = new CrawlEventWriter(
            new CrawlEventRepository(dataSource, retry: new RetryOptions { Limit = TimeSpan.FromMilliseconds(300) }), new CrawlEventWriterOptions { Linger = TimeSpan.Zero, BatchSize = 1 });
        (proxy.Down, proxy.OnSent) = (true, (_, _) => Fault.CutBefore);

        // The first batch fails, and the second comes to a server that is there again.
        await writer.WriteAsync(crawl, Event(1));
        await writer.WriteAsync(crawl, Event(2));
        await writer.WriteAsync(other, Event(3));
        for (var wait = 0; wait < 500 && !HasUnstored(writer, crawl); wait++)
        {
            await Task.Delay(10);
        }

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

    /// <summary>Goes red when those who wait for room are let in otherwise than in their order, or all at once.</summary>
    [Test]
    public async Task Calls_that_are_not_awaited_keep_their_order_and_the_bounds([Values] bool ofBytes)
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

    /// <summary>Goes red when a flush waits for its age though nobody can write any more.</summary>
    [Test]
    public async Task A_full_buffer_is_flushed_at_once_however_large_a_flush_may_be()
    {
        var crawl = await CreateCrawlAsync();
        await using var writer = Writer(options => (options.Linger, options.Capacity) = (Patient, 5));

        for (var number = 0; number < 23; number++)
        {
            await writer.WriteAsync(crawl, Event(number)).WaitAsync(TimeSpan.FromSeconds(20));
        }

        await writer.FlushAsync();
        Assert.That(await NumbersAsync(crawl), Is.EqualTo(Enumerable.Range(0, 23)));
    }

    [Test]
    public async Task Who_waits_for_room_can_be_cancelled_and_writes_nothing()
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
    public async Task Many_tasks_write_at_once_and_each_one_s_events_keep_their_order()
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

    /// <summary>Goes red without the flush at shutdown when the container is disposed of after its data source, and without it here: the service writes as it
    /// stops.</summary>
    [Test]
    public async Task A_host_that_stops_stores_what_its_services_wrote_while_they_stopped()
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
        Assert.That(() => new CrawlEventWriterOptions { BatchSize = 0 }, Throws.InstanceOf<ArgumentOutOfRangeException>().With.Property("ParamName").EqualTo("BatchSize"));
        Assert.That(() => new CrawlEventWriterOptions { Linger = TimeSpan.FromHours(1) }, Throws.InstanceOf<ArgumentOutOfRangeException>().With.Property("ParamName").EqualTo("Linger"));
        Assert.That(() => new CrawlEventWriterOptions { CapacityBytes = -1 }, Throws.InstanceOf<ArgumentOutOfRangeException>().With.Property("ParamName").EqualTo("CapacityBytes"));
    });

    private CrawlEventWriter Writer(Action<CrawlEventWriterOptions>? configure = null)
    {
        var options = new CrawlEventWriterOptions();
        configure?.Invoke(options);
        return new CrawlEventWriter(Events, options);
    }

    private static bool HasUnstored(CrawlEventWriter writer, Guid crawl)
    {
        // Cancelled, so that it writes nothing.
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
