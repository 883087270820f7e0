using CrawlData.Crawls;
using CrawlData.Instrumentation;
using Npgsql;

namespace CrawlData.Tests.Crawls;

public sealed class UnstoredEventsTests
{
    private static readonly NewCrawlEvent Event = new() { EventType = "step", Payload = Jsonb.Parse("{}") };
    private static readonly Exception Error = new IOException("the server is away");

    [Test]
    public async Task An_awaiting_caller_gets_the_error_and_its_event_is_not_kept()
    {
        var unstored = Unstored();
        var stored = new TaskCompletionSource<long>();

        unstored.Fail([new QueuedEvent { CrawlId = Guid.NewGuid(), Event = Event, Stored = stored }], Error, hold: true);

        await Assert.ThatAsync(() => stored.Task, Throws.Exception.SameAs(Error));
        Assert.That(unstored.Take(), Is.Empty);
    }

    [Test]
    public void Events_of_a_crawl_are_taken_in_their_order_once()
    {
        var unstored = Unstored();
        var crawl = Guid.NewGuid();
        var events = Enumerable.Range(0, 3).Select(_ => Event with { }).ToArray();
        unstored.Fail([.. events.Select(crawlEvent => new QueuedEvent { CrawlId = crawl, Event = crawlEvent })], Error, hold: false);

        Assert.That(unstored.ThrowIfAny, Throws.InstanceOf<CrawlEventsNotStoredException>().With.InnerException.SameAs(Error));
        Assert.That(() => unstored.ThrowIfRefused(crawl), Throws.InstanceOf<CrawlEventsNotStoredException>());
        Assert.That(() => unstored.ThrowIfRefused(Guid.NewGuid()), Throws.Nothing);

        var taken = unstored.Take();

        Assert.That(taken.Select(one => one.Event), Is.EqualTo(events));
        Assert.That(unstored.ThrowIfAny, Throws.Nothing);
        Assert.That(() => unstored.ThrowIfRefused(crawl), Throws.Nothing);
        Assert.That(unstored.Take(), Is.Empty);
    }

    [Test]
    public void Later_events_of_a_held_crawl_are_split_off_until_its_events_are_taken()
    {
        var unstored = Unstored();
        var (held, free) = (Entry(), Entry());
        unstored.Fail([held], Error, hold: true);
        QueuedEvent[] entries = [new QueuedEvent { CrawlId = held.CrawlId, Event = Event }, free];

        var split = unstored.Split(entries);

        Assert.That(split.Held.Single().Entries, Is.EqualTo(entries[..1]));
        Assert.That(split.Held.Single().Error, Is.SameAs(Error));
        Assert.That(split.Free, Is.EqualTo(new[] { free }));

        unstored.Take();
        Assert.That(unstored.Split(entries).Free, Is.EqualTo(entries));
    }

    [Test]
    public void As_many_events_as_the_buffer_holds_refuse_every_crawl()
    {
        var unstored = Unstored(capacity: 2);
        unstored.Fail([Entry(), Entry()], Error, hold: false);

        Assert.That(() => unstored.ThrowIfRefused(Guid.NewGuid()), Throws.InstanceOf<CrawlEventsNotStoredException>().With.Property("Events").Count.EqualTo(2));
    }

    private static QueuedEvent Entry() => new() { CrawlId = Guid.NewGuid(), Event = Event };

    private static UnstoredEvents Unstored(int capacity = 100) =>
        new(new CrawlEventWriterOptions { Capacity = capacity }, new Telemetry(NpgsqlDataSource.Create("Host=localhost"), "crawl_events"));
}
