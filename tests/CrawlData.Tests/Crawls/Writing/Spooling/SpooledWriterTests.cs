using CrawlData.Crawls;
using CrawlData.Storage;
using CrawlData.Tests.Faults;
using Npgsql;

namespace CrawlData.Tests.Crawls;

/// <summary>A writer with a spool crashes, and another one goes on. A crash is a copy of the folder: the first writer does not notice. The cases run one after
/// the other.</summary>
[Parallelizable(ParallelScope.Self)]
public sealed class SpooledWriterTests : DatabaseTest
{

    private TestFolder folder = null!;
    private FaultProxy proxy = null!;
    private NpgsqlDataSource proxied = null!;

    [SetUp]
    public void Start()
    {
        folder = new TestFolder();
        proxy = new FaultProxy(Database.ConnectionString);
        proxied = proxy.CreateDataSource(Database.ConnectionString);
    }

    [TearDown]
    public async Task StopAsync()
    {
        await proxied.DisposeAsync();
        await proxy.DisposeAsync();
        folder.Dispose();
    }

    [Test]
    public async Task Events_that_a_crash_left_in_the_spool_are_stored_once_and_before_new_events()
    {
        var crawl = await CreateCrawlAsync();
        await using var writer = Writer(folder.Path, proxied);
        await writer.AppendAsync(crawl, Event(0));
        StopServer();
        for (var number = 1; number <= 5; number++)
        {
            await writer.WriteAsync(crawl, Event(number));
        }

        var crashed = folder.Crash();
        await using (var next = Writer(crashed))
        {
            await next.WriteAsync(crawl, Event(6));
            await next.AppendAsync(crawl, Event(7));
            await next.FlushAsync();
        }

        Assert.That(await NumbersAsync(crawl), Is.EqualTo(Enumerable.Range(0, 8)));
        await using (var last = Writer(crashed))
        {
            await last.FlushAsync();
        }

        Assert.That(await NumbersAsync(crawl), Is.EqualTo(Enumerable.Range(0, 8)));
    }

    /// <summary>Goes red without the record of the transaction that is written before its COMMIT.</summary>
    [Test]
    public async Task A_batch_whose_commit_was_sent_before_a_crash_is_stored_once([Values] bool isCommitted, [Values(1, 3, 1_200)] int count)
    {
        var crawl = await CreateCrawlAsync();
        await using var writer = Writer(folder.Path, proxied, TimeSpan.FromMinutes(1));
        var committed = new TaskCompletionSource();
        proxy.OnSent = (_, piece) =>
        {
            if (!FaultProxy.IsCommit(piece))
            {
                return Fault.None;
            }

            proxy.Down = true;
            committed.TrySetResult();
            return isCommitted ? Fault.CutAfter : Fault.CutBefore;
        };
        await Task.WhenAll(Enumerable.Range(0, count).Select(number => writer.WriteAsync(crawl, Event(number))));
        _ = writer.FlushAsync();
        await committed.Task.WaitAsync(Wait.Longest);
        if (isCommitted)
        {
            await Wait.UntilAsync(async () => await Events.CountAsync(crawl) == count, "the transaction is committed");
        }

        await using (var next = Writer(folder.Crash()))
        {
            await next.WriteAsync(crawl, Event(count));
            await next.FlushAsync().WaitAsync(Wait.Longest);
        }

        Assert.That(await NumbersAsync(crawl), Is.EqualTo(Enumerable.Range(0, count + 1)));
    }

    [Test]
    public async Task A_batch_of_unknown_outcome_is_reported_and_not_repeated()
    {
        var (crawl, other) = (await CreateCrawlAsync(), await CreateCrawlAsync());
        await using (var spool = new Spool(folder.Path))
        {
            // A transaction of another cluster: its id means nothing here.
            var (one, two) = (Spooled(1, crawl), Spooled(2, other));
            await Task.WhenAll(spool.Write(one).Completed, spool.Write(two).Completed, spool.WriteAsync(InDoubt(spool, one)));
        }

        Assert.That(CrawlEventSpool.Read(folder.Path).InDoubt.Single().CrawlId, Is.EqualTo(crawl));
        await using (var writer = Writer(folder.Path))
        {
            await Assert.ThatAsync(() => writer.FlushAsync(crawl).WaitAsync(Wait.Longest), Throws.InstanceOf<CrawlEventsNotStoredException>());
            await writer.FlushAsync(other).WaitAsync(Wait.Longest);
            await Assert.ThatAsync(() => writer.WriteAsync(crawl, Event(3)), Throws.InstanceOf<CrawlEventsNotStoredException>());
        }

        // Nobody decided, so the next writer reports it again.
        await using (var writer = Writer(folder.Path))
        {
            await Assert.ThatAsync(() => writer.FlushAsync().WaitAsync(Wait.Longest), Throws.InstanceOf<CrawlEventsNotStoredException>());
            var taken = writer.TakeUnstored(crawl).Single();
            Assert.That(taken.Error, Is.InstanceOf<AppendOutcomeUnknownException>());
            await writer.WriteAsync(crawl, taken.Event);
        }

        Assert.That((await NumbersAsync(crawl), await NumbersAsync(other)), Is.EqualTo((new[] { 1 }, new[] { 2 })));
        Assert.That(folder.Files, Is.Empty);
    }

    [Test]
    public async Task A_disposal_during_an_outage_leaves_the_events_in_the_spool()
    {
        var crawl = await CreateCrawlAsync();
        var left = new LoggedEvents<CrawlEventWriter>(26);
        var writer = new CrawlEventWriter(
            new CrawlEventRepository(proxied, retry: new RetryOptions { Limit = TimeSpan.Zero }),
            new CrawlEventWriterOptions { SpoolDirectory = folder.Path },
            left);
        StopServer();
        await writer.WriteAsync(crawl, Event(0));
        await writer.WriteAsync(crawl, Event(1));

        await writer.DisposeAsync();

        Assert.That(left.Received.Count, Is.EqualTo(1));
        Assert.That(writer.TakeUnstored(), Is.Empty);
        Assert.That(CrawlEventSpool.Read(folder.Path).Crawls, Is.EqualTo(new Dictionary<Guid, int> { [crawl] = 2 }));
        await Writer(folder.Path).DisposeAsync();

        Assert.That(await NumbersAsync(crawl), Is.EqualTo(new[] { 0, 1 }));
    }

    [Test]
    public async Task An_event_that_cannot_be_stored_stays_in_the_spool_until_it_is_taken()
    {
        var unknown = Guid.NewGuid();
        var crawl = await CreateCrawlAsync();
        for (var attempt = 0; attempt < 2; attempt++)
        {
            await using var writer = Writer(folder.Path);
            if (attempt == 0)
            {
                await writer.WriteAsync(unknown, Event(0));
                await writer.WriteAsync(crawl, Event(1));
            }

            await Assert.ThatAsync(() => writer.FlushAsync().WaitAsync(Wait.Longest), Throws.InstanceOf<CrawlEventsNotStoredException>());
            if (attempt == 1)
            {
                Assert.That(writer.TakeUnstored().Single().Error, Is.InstanceOf<RowNotFoundException>());
            }
        }

        Assert.That(folder.Files, Is.Empty);
        Assert.That(await NumbersAsync(crawl), Is.EqualTo(new[] { 1 }));
    }

    [Test]
    public async Task A_writer_goes_on_after_its_disk_was_full()
    {
        var crawl = await CreateCrawlAsync();
        var isFull = false;
        await using (var writer = new CrawlEventWriter(
            Events, new CrawlEventWriterOptions
            {
                Linger = TimeSpan.FromMinutes(1),
                SpoolDirectory = folder.Path,
                CreateSpoolFile = path => new FaultySpoolFile(path, () => Volatile.Read(ref isFull)),
            }))
        {
            await writer.WriteAsync(crawl, Event(0));
            Volatile.Write(ref isFull, true);
            await Assert.ThatAsync(() => writer.WriteAsync(crawl, Event(99)), Throws.InstanceOf<SpoolWriteException>());

            // An event that is in the spool cannot be committed without the record of its transaction. It waits.
            using var retries = new RetryDurations(Database.ConnectionString);
            var flush = writer.FlushAsync();
            await retries.UntilRetriedAsync(1);
            Assert.That(await NumbersAsync(crawl), Is.Empty);
            Volatile.Write(ref isFull, false);
            await flush.WaitAsync(Wait.Longest);
            await writer.WriteAsync(crawl, Event(1));
        }

        Assert.That(await NumbersAsync(crawl), Is.EqualTo(new[] { 0, 1 }));
    }

    [Test]
    public async Task Awaited_and_unawaited_events_of_one_crawl_keep_their_order()
    {
        var crawl = await CreateCrawlAsync();
        await using (var writer = Writer(folder.Path))
        {
            await Task.WhenAll(Enumerable.Range(0, 500).Select(number =>
                number % 3 == 0 ? writer.AppendAsync(crawl, Event(number)) : writer.WriteAsync(crawl, Event(number))));
        }

        Assert.That(await NumbersAsync(crawl), Is.EqualTo(Enumerable.Range(0, 500)));
        Assert.That(folder.Files, Is.Empty);
    }

    [Test]
    public async Task A_full_buffer_lets_writes_wait_and_no_event_is_lost()
    {
        var crawl = await CreateCrawlAsync();
        await using (var writer = new CrawlEventWriter(
            Events, new CrawlEventWriterOptions { Capacity = 7, BatchSize = 3, Linger = TimeSpan.Zero, SpoolDirectory = folder.Path }))
        {
            await Task.WhenAll(Enumerable.Range(0, 200).Select(number => writer.WriteAsync(crawl, Event(number))));
            await writer.FlushAsync(crawl);
            Assert.That(await NumbersAsync(crawl), Is.EqualTo(Enumerable.Range(0, 200)));
        }
    }

    private void StopServer() => (proxy.Down, proxy.OnSent) = (true, (_, _) => Fault.CutBefore);

    /// <summary>Makes a writer that gives up at once when it is disposed.</summary>
    private static CrawlEventWriter Writer(string directory, NpgsqlDataSource dataSource, TimeSpan? linger = null) => new(
        new CrawlEventRepository(dataSource, retry: new RetryOptions { Limit = TimeSpan.Zero }),
        new CrawlEventWriterOptions { SpoolDirectory = directory, Linger = linger ?? TimeSpan.FromMilliseconds(1) });

    private CrawlEventWriter Writer(string directory) => Writer(directory, DataSource);

    private async Task<int[]> NumbersAsync(Guid crawl) =>
        [.. (await Events.StreamAsync(crawl).ToListAsync()).Select(crawlEvent => crawlEvent.Payload.ToElement().GetProperty("number").GetInt32())];

    private static SpooledEvent Spooled(int number, Guid crawl) => new() { Sequence = number, CrawlId = crawl, Event = Event(number) };

    private static SpooledBatch InDoubt(Spool spool, SpooledEvent one) => new()
    {
        Id = spool.NextBatchId(),
        Events = [one],
        RowIds = [long.MaxValue],
        Transaction = new((1UL << 60) + 5, Instant.From(DateTimeOffset.UtcNow), Instant.From(DateTimeOffset.UtcNow), new(1), 1, false),
        Cluster = 7,
        FirstId = long.MaxValue,
        FirstParentId = one.CrawlId,
        HasTransactionTime = true,
    };
}
