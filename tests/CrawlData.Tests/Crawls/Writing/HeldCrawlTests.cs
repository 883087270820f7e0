using CrawlData.Crawls;
using CrawlData.Tests.Faults;
using Npgsql;

namespace CrawlData.Tests.Crawls;

/// <summary>What a writer does with the events of a crawl after an outage. The writer makes one attempt. An event of another crawl, whose run is locked, keeps
/// flushes of all crawls waiting.</summary>
public sealed class HeldCrawlTests : DatabaseTest
{
    private static readonly TimeSpan Patient = TimeSpan.FromMinutes(1);

    [Test]
    public async Task A_producer_that_takes_its_events_and_writes_them_again_keeps_their_order()
    {
        await using var outage = await StartAsync();
        var (writer, crawl) = (outage.Writer, outage.Crawl);
        await writer.WriteAsync(crawl, Event(0));
        await writer.WriteAsync(outage.Locked, Event(0));
        for (var number = 1; number <= 5; number++)
        {
            await writer.WriteAsync(crawl, Event(number));
        }

        await outage.BeginAsync();
        foreach (var unstored in writer.TakeUnstored())
        {
            await writer.WriteAsync(unstored.CrawlId, unstored.Event);
        }

        await writer.WriteAsync(crawl, Event(6));
        await outage.UnlockAsync();
        await writer.FlushAsync();

        Assert.That(await NumbersAsync(crawl), Is.EqualTo(Enumerable.Range(0, 7)));
    }

    [Test]
    public async Task An_outage_in_the_flush_of_a_refused_event_holds_the_events_behind_both()
    {
        await RefuseAsync();
        var inserts = 0;
        await using var outage = await StartAsync(
            options => (options.BatchSize, options.Linger) = (8, Patient),
            piece => IsInsert(piece) && Interlocked.Increment(ref inserts) == 2);
        var (writer, crawl) = (outage.Writer, outage.Crawl);

        for (var number = 1; number <= 8; number++)
        {
            await writer.WriteAsync(crawl, Event(number, number == 5 ? "refused" : "step"));
        }

        await Assert.ThatAsync(() => writer.FlushAsync(), Throws.InstanceOf<CrawlEventsNotStoredException>());
        Assert.That(Numbers(writer.TakeUnstored()), Is.EqualTo(Enumerable.Range(1, 8)));
        Assert.That(await NumbersAsync(crawl), Is.Empty);
    }

    [Test]
    public async Task A_flush_fails_although_another_task_took_the_unstored_events()
    {
        await using var outage = await StartAsync();
        var writer = outage.Writer;
        await writer.WriteAsync(outage.Crawl, Event(0));
        await writer.WriteAsync(outage.Locked, Event(0));
        var flush = writer.FlushAsync();
        await outage.BeginAsync();

        var taken = writer.TakeUnstored();
        await outage.UnlockAsync();

        var exception = await Assert.ThrowsAsync<CrawlEventsNotStoredException>(() => flush);
        Assert.That(exception!.Events, Is.EqualTo(taken));
        await Assert.ThatAsync(() => writer.FlushAsync(), Throws.Nothing);
    }

    [Test]
    public async Task A_worker_does_not_get_the_failures_of_another_worker_s_crawl()
    {
        await using var outage = await StartAsync();
        var (writer, failed, complete) = (outage.Writer, outage.Crawl, await CreateCrawlAsync());
        await writer.WriteAsync(failed, Event(0));
        await writer.WriteAsync(outage.Locked, Event(0));
        await outage.BeginAsync();
        await outage.UnlockAsync();
        await writer.WriteAsync(complete, Event(1));

        await Assert.ThatAsync(() => writer.FlushAsync(complete), Throws.Nothing);
        Assert.That(writer.TakeUnstored(complete), Is.Empty);
        await Assert.ThatAsync(() => writer.FlushAsync(failed), Throws.InstanceOf<CrawlEventsNotStoredException>());
        Assert.That(Numbers(writer.TakeUnstored(failed)), Is.EqualTo(new[] { 0 }));
        await Assert.ThatAsync(() => writer.FlushAsync(failed), Throws.Nothing);
    }

    private static bool IsInsert(byte[] piece) => piece.AsSpan().IndexOf("insert into crawl_events"u8) >= 0;

    private static int[] Numbers(IEnumerable<UnstoredCrawlEvent> unstored) => [.. unstored.Select(one => NumberOf(one.Event.Payload))];

    private static int NumberOf(Jsonb payload) => payload.ToElement().GetProperty("number").GetInt32();

    private async Task<int[]> NumbersAsync(Guid crawl) =>
        [.. (await Events.StreamAsync(crawl).ToListAsync()).Select(crawlEvent => NumberOf(crawlEvent.Payload))];

    private async Task RefuseAsync()
    {
        await using var trigger = DataSource.CreateCommand(
            """
            create function refuse() returns trigger language plpgsql as
                'begin if new.event_type = ''refused'' then raise exception ''refused'' using errcode = ''23514''; end if; return new; end';
            create trigger refuse before insert on crawl_events for each row execute function refuse()
            """);
        await trigger.ExecuteNonQueryAsync();
    }

    /// <param name="configure">Changes the writer's options. By default a flush stores one event.</param>
    /// <param name="isLost">Whether a piece that the writer sends is lost with its connection. By default the first one is lost, once the outage
    /// begins.</param>
    private async Task<Outage> StartAsync(Action<CrawlEventWriterOptions>? configure = null, Func<byte[], bool>? isLost = null)
    {
        var options = new CrawlEventWriterOptions { RetryLimit = TimeSpan.Zero, BatchSize = 1, Linger = TimeSpan.Zero };
        configure?.Invoke(options);
        var pieces = 0;
        var begun = new TaskCompletionSource();
        isLost ??= _ =>
        {
            begun.Task.GetAwaiter().GetResult();
            return Interlocked.Increment(ref pieces) == 1;
        };
        var proxy = new FaultProxy(Database.ConnectionString) { OnSent = (_, piece) => isLost(piece) ? Fault.CutBefore : Fault.None };
        var holder = await DataSource.OpenConnectionAsync();
        var (crawl, locked) = (await CreateCrawlAsync(), await CreateCrawlAsync());
        await holder.BeginTransactionAsync();
        await using var locking = new NpgsqlCommand("select from crawl_runs where id = $1 for update", holder) { Parameters = { new() { Value = locked } } };
        await locking.ExecuteNonQueryAsync();
        return new Outage(proxy, proxy.CreateDataSource(Database.ConnectionString), DataSource, holder, options, crawl, locked, begun);
    }

    /// <summary>A writer behind a proxy, a crawl, and a crawl whose run is locked.</summary>
    private sealed class Outage : IAsyncDisposable
    {
        private readonly FaultProxy proxy;
        private readonly NpgsqlDataSource dataSource;
        private readonly NpgsqlDataSource witness;
        private readonly NpgsqlConnection holder;
        private readonly TaskCompletionSource begun;
        private readonly LogSignal failed = new("EventsNotStored");

        public Outage(
            FaultProxy proxy,
            NpgsqlDataSource dataSource,
            NpgsqlDataSource witness,
            NpgsqlConnection holder,
            CrawlEventWriterOptions options,
            Guid crawl,
            Guid locked,
            TaskCompletionSource begun)
        {
            (this.proxy, this.dataSource, this.witness, this.holder, this.begun) = (proxy, dataSource, witness, holder, begun);
            (Crawl, Locked) = (crawl, locked);
            Writer = new CrawlEventWriter(new CrawlEventRepository(dataSource, retry: new RetryOptions { Limit = TimeSpan.Zero }), options, failed);
        }

        public CrawlEventWriter Writer { get; }

        public Guid Crawl { get; }

        public Guid Locked { get; }

        /// <summary>Begins the outage, and waits until events could not be stored, and an event of the locked crawl waits for the lock.</summary>
        public async Task BeginAsync()
        {
            begun.SetResult();
            await failed.Logged.WaitAsync(Wait.Longest);
            await Wait.UntilBlockedByAsync(witness, holder);
        }

        public async Task UnlockAsync() => await holder.CloseAsync();

        public async ValueTask DisposeAsync()
        {
            await holder.DisposeAsync();
            await Writer.DisposeAsync();
            await dataSource.DisposeAsync();
            await proxy.DisposeAsync();
        }
    }
}
