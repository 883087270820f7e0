using CrawlData.Crawls;

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

        Assert.That(unstored.Fail([new QueuedEvent { CrawlId = Guid.NewGuid(), Event = Event, Stored = stored }], Error), Is.Zero);

        await Assert.ThatAsync(() => stored.Task, Throws.Exception.SameAs(Error));
        Assert.That(unstored.Take(null), Is.Empty);
    }

    [Test]
    public void Events_of_a_crawl_are_taken_in_the_order_of_their_writes_once()
    {
        var unstored = Unstored();
        var crawl = Guid.NewGuid();
        var events = Enumerable.Range(0, 3).Select(_ => Event with { }).ToArray();
        var entries = events.Select((crawlEvent, index) => new QueuedEvent { CrawlId = crawl, Event = crawlEvent, Sequence = index }).ToArray();
        unstored.Fail([entries[1], entries[2]], Error);
        unstored.Fail([entries[0]], new IOException("another"));

        Assert.That(entries.All(entry => entry.IsDone), Is.True);
        Assert.That(() => unstored.ThrowIfRefused(crawl), Throws.InstanceOf<CrawlEventsNotStoredException>().With.Property("Events").Count.EqualTo(3));
        Assert.That(() => unstored.ThrowIfRefused(Guid.NewGuid()), Throws.Nothing);

        var taken = unstored.Take(crawl);

        Assert.That(taken.Select(one => one.Entry.Event), Is.EqualTo(events));
        Assert.That(taken.Skip(1).Select(one => one.Error), Is.All.SameAs(Error));
        Assert.That(() => unstored.ThrowIfRefused(crawl), Throws.Nothing);
        Assert.That(unstored.Take(crawl), Is.Empty);
        Assert.That(unstored.Take(null), Is.Empty);
    }

    [Test]
    public void The_events_of_one_crawl_are_taken_and_the_others_stay()
    {
        var unstored = Unstored();
        QueuedEvent[] entries = [Entry(), Entry()];
        unstored.Fail(entries, Error);

        Assert.That(unstored.Take(entries[1].CrawlId).Select(one => one.Entry), Is.EqualTo(entries[1..]));
        Assert.That(unstored.Of(null).Select(one => one.Entry), Is.EqualTo(entries[..1]));
        Assert.That(() => unstored.ThrowIfRefused(entries[0].CrawlId), Throws.InstanceOf<CrawlEventsNotStoredException>().With.InnerException.SameAs(Error));
    }

    [Test]
    public void As_many_events_as_the_buffer_holds_refuse_every_crawl()
    {
        var unstored = Unstored(capacity: 2);
        QueuedEvent[] entries = [Entry(), Entry()];
        unstored.Fail(entries, Error);

        Assert.That(() => unstored.ThrowIfRefused(Guid.NewGuid()), Throws.InstanceOf<CrawlEventsNotStoredException>().With.Property("Events").Count.EqualTo(2));
        unstored.Take(entries[0].CrawlId);
        Assert.That(() => unstored.ThrowIfRefused(Guid.NewGuid()), Throws.Nothing);
    }

    private static QueuedEvent Entry() => new() { CrawlId = Guid.NewGuid(), Event = Event };

    private static UnstoredEvents Unstored(int capacity = 100) => new(new CrawlEventWriterOptions { Capacity = capacity });
}
