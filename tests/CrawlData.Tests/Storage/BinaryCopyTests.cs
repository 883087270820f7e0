using System.Collections;
using CrawlData.Crawls;

namespace CrawlData.Tests.Storage;

/// <summary>Batches of more than 4 MiB are copied. The values have sizes around that of the copy's buffer, so that it ends at each byte of a row.</summary>
public sealed class BinaryCopyTests : DatabaseTest
{
    private static IEnumerable<int> Sizes => Enumerable.Range(0, 160).Select(number => (64 * 1024) - 400 + (5 * number));

    [Test]
    public async Task Events_of_any_size_are_copied_as_they_are()
    {
        var crawl = await CreateCrawlAsync();
        var events = Sizes.Select(size => new NewCrawlEvent
        {
            EventType = new string('é', (size % 50) + 1),
            Payload = Jsonb.From(new string('x', size)),
            CreatedAt = DateTimeOffset.UnixEpoch.AddSeconds(size),
        }).ToArray();

        var ids = await Events.AppendAsync(crawl, events);

        var read = await Events.StreamAsync(crawl).ToListAsync();
        Assert.That(read.Select(one => (one.Id, one.EventType, one.CreatedAt)), Is.EqualTo(ids.Zip(events, (id, one) => (id, one.EventType, one.CreatedAt))));
        Assert.That(read.Select(one => one.Payload), Is.EqualTo(events.Select(one => one.Payload)));
    }

    [Test]
    public async Task Lines_of_any_size_are_copied_as_they_are()
    {
        var session = await EnqueueAsync();
        var lines = Sizes.Select(size => Line(size, DateTimeOffset.UnixEpoch.AddSeconds(size)) with { Message = new string('é', size / 2) }).ToArray();

        await Logs.AppendAsync(session, lines);

        var read = await Logs.StreamAsync(session).ToListAsync();
        Assert.That(read.Select(one => one.Message), Is.EqualTo(lines.Select(one => one.Message)));
        Assert.That(read.Select(one => one.Details), Is.EqualTo(lines.Select(one => one.Details)));
    }

    /// <summary>The caller's transaction is aborted then. A COPY that ended as if it were complete would leave it to commit a part of the events.</summary>
    [Test]
    public async Task A_copy_that_is_cancelled_between_two_rows_stores_nothing_and_leaves_the_connection_usable()
    {
        var crawl = await CreateCrawlAsync();
        using var cancellation = new CancellationTokenSource();
        await using var connection = await DataSource.OpenConnectionAsync();
        await using (var transaction = await connection.BeginTransactionAsync())
        {
            var events = new CancellingList([.. EventsOf(2_000).Select(crawlEvent => (crawl, crawlEvent))], cancelAt: 1_500, cancellation);
            await Assert.ThatAsync(() => Events.AppendAsync(events, transaction, cancellation.Token), Throws.InstanceOf<OperationCanceledException>());
            await transaction.CommitAsync(CancellationToken.None);
        }

        Assert.That(await Events.CountAsync(crawl), Is.Zero);
        await using (var transaction = await connection.BeginTransactionAsync())
        {
            await Events.AppendAsync(crawl, EventsOf(1_000), transaction);
            await transaction.CommitAsync();
        }

        Assert.That(await Events.CountAsync(crawl), Is.EqualTo(1_000));
    }

    /// <summary>A list that cancels when an item is got by its index, as the copy gets the crawl of each event.</summary>
    private sealed class CancellingList((Guid, NewCrawlEvent)[] items, int cancelAt, CancellationTokenSource cancellation)
        : IReadOnlyList<(Guid CrawlId, NewCrawlEvent Event)>
    {
        public int Count => items.Length;

        public (Guid CrawlId, NewCrawlEvent Event) this[int index]
        {
            get
            {
                if (index == cancelAt)
                {
                    cancellation.Cancel();
                }

                return items[index];
            }
        }

        public IEnumerator<(Guid CrawlId, NewCrawlEvent Event)> GetEnumerator() => items.AsEnumerable().GetEnumerator();

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
