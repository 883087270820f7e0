using CrawlData.Crawls;
using CrawlData.Instrumentation;
using Npgsql;

namespace CrawlData.Tests.Crawls;

public sealed class CrawlEventQueueTests
{
    [Test]
    public async Task Callers_wait_for_space_in_the_order_of_their_calls()
    {
        var queue = Queue(capacity: 1);
        var first = Entry();
        await queue.AddAsync(first, CancellationToken.None);
        var waiting = new[] { Entry(), Entry() };
        var adds = waiting.Select(entry => queue.AddAsync(entry, CancellationToken.None)).ToArray();
        Assert.That(adds.Any(add => add.IsCompleted), Is.False);

        queue.Free(first.Size);
        await adds[0];
        Assert.That(adds[1].IsCompleted, Is.False);

        queue.Free(waiting[0].Size);
        await adds[1];
        Assert.That(await DrainAsync(queue), Is.EqualTo(new[] { first, waiting[0], waiting[1] }));
    }

    [Test]
    public async Task The_queue_is_bounded_by_bytes_too_and_the_last_entry_may_exceed_them()
    {
        var queue = Queue(capacity: 100, capacityBytes: 10);
        await queue.AddAsync(Entry(payloadBytes: 9), CancellationToken.None);
        await queue.AddAsync(Entry(payloadBytes: 50), CancellationToken.None);

        Assert.That(queue.AddAsync(Entry(payloadBytes: 2), CancellationToken.None).IsCompleted, Is.False);
    }

    [Test]
    public async Task A_cancelled_wait_leaves_its_entry_out_and_the_next_caller_moves_up()
    {
        var queue = Queue(capacity: 1);
        var first = Entry();
        await queue.AddAsync(first, CancellationToken.None);
        using var cancellation = new CancellationTokenSource();
        var cancelled = queue.AddAsync(Entry(), cancellation.Token);
        var next = Entry();
        var added = queue.AddAsync(next, CancellationToken.None);

        await cancellation.CancelAsync();
        await Assert.ThatAsync(() => cancelled, Throws.InstanceOf<OperationCanceledException>());
        queue.Free(first.Size);
        await added;

        Assert.That(await DrainAsync(queue), Is.EqualTo(new[] { first, next }));
    }

    [Test]
    public async Task Closing_refuses_further_and_waiting_entries_and_keeps_those_that_were_admitted()
    {
        var queue = Queue(capacity: 1);
        var first = Entry();
        await queue.AddAsync(first, CancellationToken.None);
        var waiting = queue.AddAsync(Entry(), CancellationToken.None);

        var drained = await DrainAsync(queue);

        await Assert.ThatAsync(() => waiting, Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(() => queue.AddAsync(Entry(), CancellationToken.None), Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(drained, Is.EqualTo(new[] { first }));
    }

    private static async Task<List<QueuedEvent>> DrainAsync(CrawlEventQueue queue)
    {
        queue.Close();
        return await queue.Reader.ReadAllAsync().ToListAsync();
    }

    private static CrawlEventQueue Queue(int capacity, int capacityBytes = 1_000)
    {
        var options = new CrawlEventWriterOptions { Capacity = capacity, CapacityBytes = capacityBytes };
        return new CrawlEventQueue(options, new Telemetry(NpgsqlDataSource.Create("Host=localhost"), "crawl_events"));
    }

    private static QueuedEvent Entry(int payloadBytes = 2) =>
        new() { CrawlId = Guid.NewGuid(), Event = new NewCrawlEvent { EventType = "step", Payload = Jsonb.Parse($"\"{new string('a', payloadBytes - 2)}\"") } };
}
