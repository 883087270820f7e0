using CrawlData.Crawls;
using CrawlData.Tests.Faults;
using Microsoft.Extensions.Time.Testing;
using Npgsql;

namespace CrawlData.Tests.Crawls;

/// <summary>In a flush of many crawls, a crawl or an event that cannot be stored does not affect the others.</summary>
public class FlushIsolationTests : DatabaseTest
{
    private static readonly TimeSpan Patient = TimeSpan.FromMinutes(1);

    /// <summary>A trigger of the application's refuses an event whose type is an SQLSTATE after an exclamation mark.</summary>
    [OneTimeSetUp]
    public async Task MakeTriggerAsync()
    {
        await using var trigger = DataSource.CreateCommand(
            """
            create function refuse() returns trigger language plpgsql as
                'begin if new.event_type ~ ''^!'' then raise exception ''refused'' using errcode = substr(new.event_type, 2); end if; return new; end';
            create trigger refuse before insert on crawl_events for each row execute function refuse()
            """);
        await trigger.ExecuteNonQueryAsync();
    }

    [Test]
    public async Task A_locked_crawl_holds_up_no_other_crawl([Values(1, 30, 1_500)] int eventsOfEach)
    {
        var crawls = await CreateCrawlsAsync(4);
        var locked = crawls[1];
        await using var holder = await LockAsync(locked);
        await using var writer = new CrawlEventWriter(Events, new CrawlEventWriterOptions { Linger = Patient });
        for (var number = 0; number < eventsOfEach; number++)
        {
            foreach (var crawl in crawls)
            {
                await writer.WriteAsync(crawl, Event(number));
            }
        }

        var flush = writer.FlushAsync();
        foreach (var crawl in crawls.Where(crawl => crawl != locked))
        {
            await writer.FlushAsync(crawl).WaitAsync(Wait.Longest);
            await writer.AppendAsync(crawl, Event(eventsOfEach)).WaitAsync(Wait.Longest);
            Assert.That(await NumbersAsync(crawl), Is.EqualTo(Enumerable.Range(0, eventsOfEach + 1)));
        }

        Assert.That(flush.IsCompleted, Is.False);
        var last = writer.AppendAsync(locked, Event(eventsOfEach));
        await Wait.UntilBlockedByAsync(DataSource, holder);
        await holder.CloseAsync();
        await flush.WaitAsync(Wait.Longest);
        await last.WaitAsync(Wait.Longest);

        Assert.That(await NumbersAsync(locked), Is.EqualTo(Enumerable.Range(0, eventsOfEach + 1)));
    }

    [Test]
    public async Task A_crawl_that_stays_locked_for_the_limit_fails_alone()
    {
        var crawls = await CreateCrawlsAsync(2);
        await using var holder = await LockAsync(crawls[0]);
        var time = new FakeTimeProvider();
        await using var writer = new CrawlEventWriter(
            new CrawlEventRepository(DataSource, timeProvider: time),
            new CrawlEventWriterOptions { RetryLimit = TimeSpan.FromSeconds(30), Linger = Patient },
            timeProvider: time);
        await writer.WriteAsync(crawls[0], Event(0));
        await writer.WriteAsync(crawls[1], Event(1));
        var (ofLocked, ofOther) = (writer.FlushAsync(crawls[0]), writer.FlushAsync(crawls[1]));
        await Wait.UntilBlockedByAsync(DataSource, holder);
        var behind = writer.AppendAsync(crawls[0], Event(2));

        time.Advance(TimeSpan.FromSeconds(31));

        var exception = await Assert.ThrowsAsync<CrawlEventsNotStoredException>(() => ofLocked.WaitAsync(Wait.Longest));
        Assert.That(exception!.Events.Single().Error, Is.InstanceOf<NpgsqlException>().With.Property("IsTransient").True);
        await Assert.ThatAsync(() => behind.WaitAsync(Wait.Longest), Throws.InstanceOf<NpgsqlException>());
        await ofOther.WaitAsync(Wait.Longest);
        Assert.That(writer.TakeUnstored(crawls[0]).Select(one => one.Event), Is.EqualTo(new[] { Event(0) }));
        await holder.CloseAsync();
        await writer.AppendAsync(crawls[0], Event(3)).WaitAsync(Wait.Longest);
        Assert.That(await NumbersAsync(crawls[0]), Is.EqualTo(new[] { 3 }));
    }

    [Test]
    public async Task A_buffer_that_a_locked_crawl_fills_still_accepts_other_crawls()
    {
        var crawls = await CreateCrawlsAsync(2);
        await using var holder = await LockAsync(crawls[0]);
        await using var writer = new CrawlEventWriter(Events, new CrawlEventWriterOptions { Linger = TimeSpan.Zero, Capacity = 10 });
        var writing = Task.Run(async () =>
        {
            for (var number = 0; number < 100; number++)
            {
                await writer.WriteAsync(crawls[0], Event(number));
            }
        });
        await Wait.UntilBlockedByAsync(DataSource, holder);

        for (var number = 0; number < 100; number++)
        {
            await writer.AppendAsync(crawls[1], Event(number)).WaitAsync(Wait.Longest);
        }

        Assert.That(writing.IsCompleted, Is.False);
        await holder.CloseAsync();
        await writing.WaitAsync(Wait.Longest);
        await writer.FlushAsync().WaitAsync(Wait.Longest);
        Assert.That(await NumbersAsync(crawls[0]), Is.EqualTo(Enumerable.Range(0, 100)));
    }

    [Test]
    public async Task Writers_that_contend_for_a_crawl_store_all_their_events()
    {
        var crawl = await CreateCrawlAsync();

        await Task.WhenAll(Enumerable.Range(0, 4).Select(writerNumber => Task.Run(async () =>
        {
            await using var writer = new CrawlEventWriter(Events, new CrawlEventWriterOptions { Linger = TimeSpan.Zero });
            for (var number = 0; number < 50; number++)
            {
                await writer.AppendAsync(crawl, Event((writerNumber * 50) + number));
            }
        })));

        var numbers = await NumbersAsync(crawl);
        Assert.That(numbers, Is.EquivalentTo(Enumerable.Range(0, 200)));
        Assert.That(numbers.GroupBy(number => number / 50), Is.All.Ordered);
    }

    [Test]
    public async Task Unknown_crawls_of_one_flush_cost_a_handful_of_round_trips()
    {
        var pieces = 0;
        await using var proxy = new FaultProxy(Database.ConnectionString);
        await using var dataSource = proxy.CreateDataSource(Database.ConnectionString);
        var crawl = await CreateCrawlAsync();
        await using var writer = new CrawlEventWriter(new CrawlEventRepository(dataSource), new CrawlEventWriterOptions { Linger = Patient });
        await writer.AppendAsync(crawl, Event(0));
        proxy.OnSent = (_, piece) =>
        {
            // What a COPY sends has no bound of its own.
            Interlocked.Add(ref pieces, piece[0] == (byte)'d' ? 0 : 1);
            return Fault.None;
        };

        for (var number = 0; number < 3_000; number++)
        {
            await writer.WriteAsync(Guid.NewGuid(), Event(number));
        }

        await Assert.ThatAsync(() => writer.FlushAsync(), Throws.InstanceOf<CrawlEventsNotStoredException>());

        // A piece has at most 64 KiB.
        Assert.That(pieces, Is.LessThan(30));
        Assert.That(writer.TakeUnstored().Select(one => one.Error).OfType<RowNotFoundException>().Count(), Is.EqualTo(3_000));
        await writer.AppendAsync(crawl, Event(1));
        Assert.That(await NumbersAsync(crawl), Is.EqualTo(new[] { 0, 1 }));
    }

    [Test]
    public async Task An_event_that_a_trigger_refuses_fails_alone(
        [Values("P0001", "22000", "23514", "2F002", "38001", "39000", "44000", "54000")] string sqlState)
    {
        var crawl = await CreateCrawlAsync();
        await using var writer = new CrawlEventWriter(Events, new CrawlEventWriterOptions { Linger = Patient });
        for (var number = 0; number < 8; number++)
        {
            await writer.WriteAsync(crawl, Event(number, number == 5 ? $"!{sqlState}" : "step"));
        }

        await Assert.ThatAsync(() => writer.FlushAsync(), Throws.InstanceOf<CrawlEventsNotStoredException>());

        Assert.That(writer.TakeUnstored().Single().Error, Is.InstanceOf<PostgresException>().With.Property("SqlState").EqualTo(sqlState));
        Assert.That(await NumbersAsync(crawl), Is.EqualTo(new[] { 0, 1, 2, 3, 4, 6, 7 }));
    }

    private async Task<List<Guid>> CreateCrawlsAsync(int count)
    {
        var crawls = new List<Guid>();
        while (crawls.Count < count)
        {
            crawls.Add(await CreateCrawlAsync());
        }

        return crawls;
    }

    /// <summary>Locks a run, as an open transaction that appended does, until the connection is closed.</summary>
    private async Task<NpgsqlConnection> LockAsync(Guid crawl)
    {
        var holder = await DataSource.OpenConnectionAsync();
        await holder.BeginTransactionAsync();
        await using var locking = new NpgsqlCommand("select from crawl_runs where id = $1 for no key update", holder);
        locking.Parameters.AddWithValue(crawl);
        await locking.ExecuteNonQueryAsync();
        return holder;
    }

    private async Task<int[]> NumbersAsync(Guid crawl) =>
        [.. (await Events.StreamAsync(crawl).ToListAsync()).Select(crawlEvent => crawlEvent.Payload.ToElement().GetProperty("number").GetInt32())];
}
