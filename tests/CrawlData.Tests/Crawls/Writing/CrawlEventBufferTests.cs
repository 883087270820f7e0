using CrawlData.Crawls;
using CrawlData.Instrumentation;
using Npgsql;

namespace CrawlData.Tests.Crawls;

public sealed class CrawlEventBufferTests
{
    private static readonly Exception Error = new IOException("the server is away");

    [Test]
    public async Task Callers_wait_for_space_in_the_order_of_their_calls()
    {
        var buffer = Buffer(capacity: 1);
        var first = Entry();
        await buffer.AddAsync(first, CancellationToken.None);
        var waiting = new[] { Entry(), Entry() };
        var adds = waiting.Select(entry => buffer.AddAsync(entry, CancellationToken.None)).ToArray();
        Assert.That(adds.Any(add => add.IsCompleted), Is.False);

        buffer.Free(first.Size);
        await adds[0];
        Assert.That(adds[1].IsCompleted, Is.False);

        buffer.Free(waiting[0].Size);
        await adds[1];
        Assert.That(await DrainAsync(buffer), Is.EqualTo(new[] { first, waiting[0], waiting[1] }));
    }

    [Test]
    public async Task The_buffer_is_bounded_by_bytes_too_and_the_last_entry_may_exceed_them()
    {
        var buffer = Buffer(capacity: 100, capacityBytes: 10);
        await buffer.AddAsync(Entry(payloadBytes: 9), CancellationToken.None);
        await buffer.AddAsync(Entry(payloadBytes: 50), CancellationToken.None);

        Assert.That(buffer.AddAsync(Entry(payloadBytes: 2), CancellationToken.None).IsCompleted, Is.False);
    }

    [Test]
    public async Task A_cancelled_wait_leaves_its_entry_out_and_the_next_caller_moves_up()
    {
        var buffer = Buffer(capacity: 1);
        var first = Entry();
        await buffer.AddAsync(first, CancellationToken.None);
        using var cancellation = new CancellationTokenSource();
        var cancelled = buffer.AddAsync(Entry(), cancellation.Token);
        var next = Entry();
        var added = buffer.AddAsync(next, CancellationToken.None);

        await cancellation.CancelAsync();
        await Assert.ThatAsync(() => cancelled, Throws.InstanceOf<OperationCanceledException>());
        buffer.Free(first.Size);
        await added;

        Assert.That(await DrainAsync(buffer), Is.EqualTo(new[] { first, next }));
    }

    [Test]
    public async Task Closing_refuses_further_and_waiting_entries_and_keeps_those_that_were_admitted()
    {
        var buffer = Buffer(capacity: 1);
        var first = Entry();
        await buffer.AddAsync(first, CancellationToken.None);
        var waiting = buffer.AddAsync(Entry(), CancellationToken.None);

        var drained = await DrainAsync(buffer);

        await Assert.ThatAsync(() => waiting, Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(() => buffer.AddAsync(Entry(), CancellationToken.None), Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(drained, Is.EqualTo(new[] { first }));
    }

    [Test]
    public async Task All_events_of_a_crawl_fail_together_and_are_taken_in_their_order()
    {
        var crawl = Guid.NewGuid();
        var buffer = Buffer(capacity: 4);
        QueuedEvent[] read = [Entry(crawl), Entry()];
        QueuedEvent[] queued = [Entry(crawl), Entry()];
        QueuedEvent[] waiting = [Entry(crawl), Entry()];
        await AddAsync(buffer, read);
        var batch = new FlushBatch(new CrawlEventWriterOptions());
        buffer.Read(batch);
        await AddAsync(buffer, queued);
        var waits = waiting.Select(entry => buffer.AddAsync(entry, CancellationToken.None)).ToArray();

        var failed = buffer.FailCrawls(new HashSet<Guid> { crawl }, batch.Events, Error);

        Assert.That(failed, Is.EqualTo(new[] { read[0], queued[0], waiting[0] }));
        await Task.WhenAll(waits);
        Assert.That(() => buffer.AddAsync(Entry(crawl), CancellationToken.None), Throws.InstanceOf<CrawlEventsNotStoredException>());
        Assert.That(buffer.Take(Guid.NewGuid()), Is.Empty);
        Assert.That(buffer.Take(crawl).Select(one => (one.Event, one.Error)), Is.EqualTo(failed.Select(one => (one.Event, Error))));
        var later = Entry(crawl);
        buffer.Free(batch.Size);
        await buffer.AddAsync(later, CancellationToken.None);
        Assert.That(await DrainAsync(buffer), Is.EqualTo(new[] { queued[1], waiting[1], later }));
    }

    [Test]
    public async Task Awaiting_callers_get_the_error_and_their_crawl_is_not_held()
    {
        var crawl = Guid.NewGuid();
        var buffer = Buffer(capacity: 4);
        var awaited = Entry(crawl, stored: new TaskCompletionSource<long>());
        await buffer.AddAsync(awaited, CancellationToken.None);

        buffer.FailCrawls(new HashSet<Guid> { crawl }, [], Error);

        await Assert.ThatAsync(() => awaited.Stored!.Task, Throws.Exception.SameAs(Error));
        Assert.That(buffer.Take(null), Is.Empty);
        await Assert.ThatAsync(() => buffer.AddAsync(Entry(crawl), CancellationToken.None), Throws.Nothing);
    }

    [Test]
    public async Task A_flush_fails_for_events_of_its_crawl_that_were_written_before_it_also_after_they_were_taken([Values] bool taken)
    {
        var (crawl, other) = (Guid.NewGuid(), Guid.NewGuid());
        var buffer = Buffer(capacity: 4);
        var before = buffer.RequestFlush(crawl);
        await buffer.AddAsync(Entry(crawl), CancellationToken.None);
        var (ofAll, ofCrawl, ofOther) = (buffer.RequestFlush(null), buffer.RequestFlush(crawl), buffer.RequestFlush(other));

        var failed = buffer.FailCrawls(new HashSet<Guid> { crawl }, [], Error);
        if (taken)
        {
            buffer.Take(crawl);
        }

        buffer.CompleteFlushes();

        foreach (var flush in new[] { ofAll, ofCrawl })
        {
            var exception = await Assert.ThrowsAsync<CrawlEventsNotStoredException>(() => flush.Completed);
            Assert.That(exception!.Events.Select(one => one.Event), Is.EqualTo(failed.Select(one => one.Event)));
        }

        await Assert.ThatAsync(() => before.Completed, Throws.Nothing);
        await Assert.ThatAsync(() => ofOther.Completed, Throws.Nothing);
    }

    [Test]
    public async Task A_flush_waits_until_all_events_before_it_were_read()
    {
        var buffer = Buffer(capacity: 1);
        var first = Entry();
        await buffer.AddAsync(first, CancellationToken.None);
        var waiting = buffer.AddAsync(Entry(), CancellationToken.None);
        var flush = buffer.RequestFlush(null);

        buffer.CompleteFlushes();
        Assert.That(flush.Completed.IsCompleted, Is.False);
        buffer.Read(new FlushBatch(new CrawlEventWriterOptions()));
        buffer.CompleteFlushes();
        Assert.That(flush.Completed.IsCompleted, Is.False);
        buffer.Free(first.Size);
        await waiting;
        buffer.Read(new FlushBatch(new CrawlEventWriterOptions()));
        buffer.CompleteFlushes();
        Assert.That(flush.Completed.IsCompletedSuccessfully, Is.True);
    }

    private static async Task AddAsync(CrawlEventBuffer buffer, QueuedEvent[] entries)
    {
        foreach (var entry in entries)
        {
            await buffer.AddAsync(entry, CancellationToken.None);
        }
    }

    private static async Task<List<QueuedEvent>> DrainAsync(CrawlEventBuffer buffer)
    {
        buffer.Close();
        var batch = new FlushBatch(new CrawlEventWriterOptions());
        while (await buffer.WaitToReadAsync())
        {
            buffer.Read(batch);
        }

        return batch.Events;
    }

    private static CrawlEventBuffer Buffer(int capacity, int capacityBytes = 1_000)
    {
        var options = new CrawlEventWriterOptions { Capacity = capacity, CapacityBytes = capacityBytes };
        return new CrawlEventBuffer(options, new Telemetry(NpgsqlDataSource.Create("Host=localhost"), "crawl_events"), spool: null);
    }

    private static QueuedEvent Entry(int payloadBytes) => Entry(Guid.NewGuid(), payloadBytes);

    private static QueuedEvent Entry(Guid? crawl = null, int payloadBytes = 2, TaskCompletionSource<long>? stored = null) => new()
    {
        CrawlId = crawl ?? Guid.NewGuid(),
        Event = new NewCrawlEvent { EventType = "step", Payload = Jsonb.Parse($"\"{new string('a', payloadBytes - 2)}\"") },
        Stored = stored,
    };
}
