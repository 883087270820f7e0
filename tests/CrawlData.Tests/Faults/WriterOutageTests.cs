using CrawlData.Crawls;
using Npgsql;

namespace CrawlData.Tests.Faults;

/// <summary>Producers share a writer whose server is away again and again. Each takes what could not be stored, and writes it again.</summary>
public sealed class WriterOutageTests : DatabaseTest
{
    private const int Outages = 200;
    private const int Producers = 6;


    [Test]
    public async Task Producers_that_write_unstored_events_again_store_each_event_once_and_in_order()
    {
        await using var proxy = new FaultProxy(Database.ConnectionString);
        await using var dataSource = proxy.CreateDataSource(Database.ConnectionString);
        await using var writer = new CrawlEventWriter(
            new CrawlEventRepository(dataSource, retry: new RetryOptions { Limit = TimeSpan.Zero }),
            new CrawlEventWriterOptions { RetryLimit = TimeSpan.Zero, Linger = TimeSpan.FromMilliseconds(1), BatchSize = 20, Capacity = 60 });
        using SemaphoreSlim stored = new(0), failed = new(0);
        var seed = Environment.TickCount;
        TestContext.Out.WriteLine($"The seed is {seed}.");
        using var end = new CancellationTokenSource();
        var producers = new List<Producer>();
        for (var number = 0; number < Producers; number++)
        {
            producers.Add(new Producer(writer, await CreateCrawlAsync(), new Random(seed + number), stored, failed, Events));
        }

        var writing = producers.ConvertAll(producer => Task.Run(() => producer.RunAsync(end.Token)));
        for (var outage = 0; outage < Outages; outage++)
        {
            await UntilNextAsync(stored, writing);

            // A COMMIT that was sent is answered. So an event is stored or not, and never in doubt.
            (proxy.Down, proxy.OnSent) = (true, (_, piece) => FaultProxy.IsCommit(piece) ? Fault.None : Fault.CutBefore);
            await UntilNextAsync(failed, writing);
            (proxy.Down, proxy.OnSent) = (false, (_, _) => Fault.None);
        }

        await end.CancelAsync();
        await Task.WhenAll(writing).WaitAsync(Wait.Longest);

        foreach (var producer in producers)
        {
            var numbers = (await Events.StreamAsync(producer.Crawl).ToListAsync()).Select(one => one.Payload.ToElement().GetProperty("number").GetInt32());
            Assert.That(numbers, Is.EqualTo(Enumerable.Range(0, producer.Written)));
        }

        TestContext.Out.WriteLine($"{producers.Sum(one => one.Written):N0} events, {producers.Sum(one => one.WrittenAgain):N0} of them written again.");
        Assert.That(producers.Sum(one => one.WrittenAgain), Is.Positive);
    }

    private static async Task UntilNextAsync(SemaphoreSlim signal, List<Task> writing)
    {
        while (signal.Wait(0))
        {
        }

        var next = signal.WaitAsync(Wait.Longest);
        await await Task.WhenAny([next, .. writing]);
        Assert.That(await next, Is.True);
    }

    /// <summary>Writes a crawl's events in their order. It awaits some of them, and some flushes.</summary>
    private sealed class Producer(CrawlEventWriter writer, Guid crawl, Random random, SemaphoreSlim stored, SemaphoreSlim failed, CrawlEventRepository witness)
    {
        public Guid Crawl => crawl;

        public int Written { get; private set; }

        public int WrittenAgain { get; private set; }

        public async Task RunAsync(CancellationToken end)
        {
            while (!end.IsCancellationRequested)
            {
                var isWritten = await TryAsync(() => random.Next(5) == 0
                    ? AppendAsync(Event(Written))
                    : writer.WriteAsync(crawl, Event(Written), CancellationToken.None));
                Written += isWritten ? 1 : 0;
                if (isWritten && random.Next(10) == 0 && await TryAsync(FlushAsync))
                {
                    Assert.That(await witness.CountAsync(crawl, cancellationToken: CancellationToken.None), Is.EqualTo(Written));
                }
            }

            while (!await TryAsync(FlushAsync))
            {
            }
        }

        private async Task AppendAsync(NewCrawlEvent crawlEvent)
        {
            await writer.AppendAsync(crawl, crawlEvent, CancellationToken.None);
            stored.Release();
        }

        private async Task FlushAsync()
        {
            await writer.FlushAsync(crawl, CancellationToken.None);
            stored.Release();
        }

        private async Task<bool> TryAsync(Func<Task> call)
        {
            try
            {
                await call();
                return true;
            }
            catch (Exception exception) when (exception is NpgsqlException or CrawlEventsNotStoredException)
            {
                failed.Release();
                await WriteAgainAsync();
                return false;
            }
        }

        private async Task WriteAgainAsync()
        {
            var unstored = new Queue<UnstoredCrawlEvent>(writer.TakeUnstored(crawl));
            while (unstored.TryPeek(out var next))
            {
                try
                {
                    await writer.WriteAsync(crawl, next.Event, CancellationToken.None);
                    unstored.Dequeue();
                    WrittenAgain++;
                }
                catch (CrawlEventsNotStoredException)
                {
                    failed.Release();
                    unstored = new([.. writer.TakeUnstored(crawl), .. unstored]);
                }
            }
        }
    }
}
