using CrawlData.Crawls;

namespace CrawlData.Tests.Crawls;

public class CrawlEventRepositoryOrderTests : DatabaseTest
{
    /// <summary>Goes red when the append's statements lack <c>for no key update</c>: about one event in ten is then missed.</summary>
    [Test]
    public async Task A_reader_by_last_id_misses_no_event_of_concurrent_writers()
    {
        const int writers = 16;
        const int appends = 25;
        var crawl = await CreateCrawlAsync();
        using var writing = new CancellationTokenSource();

        var following = Task.Run(async () =>
        {
            var seen = new List<long>();
            for (var last = false; ;)
            {
                var page = (
                    await Events.ListAsync(crawl, new CrawlEventFilter { AfterId = seen.Count > 0 ? seen[^1] : null }, CrawlEventRepository.MaxPageSize)).Items;
                seen.AddRange(page.Select(crawlEvent => crawlEvent.Id));
                if (last)
                {
                    return seen;
                }

                last = writing.IsCancellationRequested;
            }
        });
        var written = await Task.WhenAll(Enumerable.Range(0, writers).Select(writer => Task.Run(() => WriteAsync(crawl, writer, appends))));
        await writing.CancelAsync();

        Assert.That(await following, Is.EqualTo(written.SelectMany(ids => ids).Order()));
    }

    /// <summary>Goes red when the locks are not taken in one order: the server then reports 40P01.</summary>
    [Test]
    public async Task Appends_to_several_crawls_in_opposite_orders_never_deadlock([Values(2, 600)] int eventsOfEach)
    {
        var crawls = new List<Guid>();
        for (var crawl = 0; crawl < 8; crawl++)
        {
            crawls.Add(await CreateCrawlAsync());
        }

        const int rounds = 15;
        await Task.WhenAll(Enumerable.Range(0, 8).Select(writer => Task.Run(async () =>
        {
            var random = new Random(writer);
            for (var round = 0; round < rounds; round++)
            {
                var order = crawls.ToArray();
                random.Shuffle(order);
                await Events.AppendAsync(order.Take(4).SelectMany(crawl => EventsOf(eventsOfEach / 2).Select(crawlEvent => (crawl, crawlEvent))).ToList());
            }
        })));

        var stored = 0L;
        foreach (var crawl in crawls)
        {
            stored += await Events.CountAsync(crawl);
        }

        Assert.That(stored, Is.EqualTo(8 * rounds * 4 * (eventsOfEach / 2)));
    }

    // Appends single events, batches by INSERT and by COPY, and batches in slow transactions.
    private async Task<List<long>> WriteAsync(Guid crawl, int writer, int appends)
    {
        var random = new Random(writer);
        var ids = new List<long>();
        for (var append = 0; append < appends; append++)
        {
            switch (random.Next(10))
            {
                case < 5:
                    ids.Add(await Events.AppendAsync(crawl, Event(append)));
                    break;
                case < 8:
                    await using (var connection = await DataSource.OpenConnectionAsync())
                    {
                        await using var transaction = await connection.BeginTransactionAsync();
                        ids.AddRange(await Events.AppendAsync(crawl, EventsOf(3), transaction));
                        await RunSlowStatementAsync(transaction, random.Next(5));
                        await transaction.CommitAsync();
                    }

                    break;
                case < 9:
                    ids.AddRange(await Events.AppendAsync(crawl, EventsOf(20)));
                    break;
                default:
                    ids.AddRange(await Events.AppendAsync(crawl, EventsOf(1_000)));
                    break;
            }
        }

        return ids;
    }
}
