using System.Collections.Concurrent;
using CrawlData.Crawls;
using CrawlData.Schema;

namespace CrawlData.Tests.Schema;

/// <summary>A table is partitioned, and partitions are made, while crawlers write and readers follow.</summary>
public sealed class OnlinePartitioningTests : MigratorTest
{
    private const int Crawls = 6;

    private static readonly NewCrawlEvent Event = new() { EventType = "step", Payload = Jsonb.Parse("{}") };

    /// <summary>Goes red when the swap does not lock the tables, when ids are not drawn again at once after it, and when the bound refuses ids.</summary>
    [Test]
    public async Task Nothing_is_missed_and_nothing_is_refused()
    {
        await new SchemaMigrator(DataSource).MigrateAsync();
        var events = new CrawlEventRepository(DataSource);
        var runs = new CrawlRunRepository(DataSource);
        var crawls = new List<Guid>();
        for (var number = 0; number < Crawls; number++)
        {
            crawls.Add((await runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" })).Id);
            (await runs.StartAsync(crawls[^1])).EnsureApplied();
        }

        using var longest = new CancellationTokenSource(Wait.Longest * 3);
        using var writing = new CancellationTokenSource();
        var appended = new ConcurrentBag<long>();
        await using var writer = new CrawlEventWriter(events);
        var written = 0;
        Task[] appending =
        [
            AppendAsync(crawls[0], 1), AppendAsync(crawls[0], 1), AppendAsync(crawls[1], 7), AppendAsync(crawls[2], 1_200), WriteAsync(crawls[3]),
            AppendInTransactionsAsync(crawls[4], crawls[5]),
        ];
        using var reading = CancellationTokenSource.CreateLinkedTokenSource(longest.Token);
        var followedAll = new List<long>();
        var followingAll = FollowAllAsync();
        var following = crawls
            .Select(crawl => events.FollowAsync(crawl, cancellationToken: longest.Token).Select(one => one.Id).ToListAsync().AsTask())
            .ToArray();

        await AtLeastAsync(500);
        var partitioner = new EventPartitioner(DataSource) { BeforeStep = _ => AtLeastAsync(appended.Count + 200) };
        await partitioner.PartitionAsync(longest.Token);
        var first = (await partitioner.ListAsync())[1].FromId!.Value;
        var more = new EventPartitionerOptions { Ahead = EventPartitionerOptions.DefaultAhead + 10 };
        Assert.That(await new EventPartitioner(DataSource, more).MakeAheadAsync(longest.Token), Has.Count.EqualTo(10));
        await AtLeastAsync(appended.Count + 2_000);
        await writing.CancelAsync();
        await Task.WhenAll(appending);
        await writer.FlushAsync();
        foreach (var crawl in crawls)
        {
            (await runs.CompleteAsync(crawl)).EnsureApplied();
        }

        var followed = await Task.WhenAll(following);
        await Wait.UntilAsync(() => Task.FromResult(followedAll.Count >= appended.Count + written || followingAll.IsCompleted), "all events are followed");
        await reading.CancelAsync();
        await followingAll;
        var stored = await ScalarAsync<long>("select count(*) from crawl_events");
        Assert.Multiple(() =>
        {
            Assert.That(stored, Is.EqualTo(appended.Count + written));
            Assert.That(followedAll, Is.Ordered.And.Unique.And.Exactly((int)stored).Items);
            Assert.That(followed.SelectMany(ids => ids), Is.EquivalentTo(followedAll));
            Assert.That(followed, Has.All.Ordered);
            Assert.That(followed[0], Has.Some.LessThan(first).And.Some.GreaterThanOrEqualTo(first));
            Assert.That(appended, Is.SubsetOf(followedAll));
        });
        Assert.That(await new SchemaMigrator(DataSource).VerifySchemaAsync(), Is.Empty);

        async Task AppendAsync(Guid crawl, int count)
        {
            while (!writing.IsCancellationRequested)
            {
                foreach (var id in await events.AppendAsync(crawl, Enumerable.Repeat(Event, count)))
                {
                    appended.Add(id);
                }
            }
        }

        async Task WriteAsync(Guid crawl)
        {
            for (; !writing.IsCancellationRequested; written++)
            {
                await writer.WriteAsync(crawl, Event);
                if (written % 100 == 0)
                {
                    await writer.FlushAsync();
                }
            }
        }

        async Task AppendInTransactionsAsync(Guid one, Guid other)
        {
            while (!writing.IsCancellationRequested)
            {
                await using var connection = await DataSource.OpenConnectionAsync();
                await using var transaction = await connection.BeginTransactionAsync();
                var ids = new List<long>
                {
                    await events.AppendAsync(one, Event, transaction),
                    await events.AppendAsync(other, Event, transaction),
                };
                await transaction.CommitAsync();
                ids.ForEach(appended.Add);
            }
        }

        async Task FollowAllAsync()
        {
            try
            {
                await foreach (var batch in events.FollowAllAsync(cancellationToken: reading.Token))
                {
                    lock (followedAll)
                    {
                        followedAll.AddRange(batch.Events.Select(one => one.Id));
                    }
                }
            }
            catch (OperationCanceledException) when (!longest.IsCancellationRequested)
            {
            }
        }

        Task AtLeastAsync(int count) => Wait.UntilAsync(() => Task.FromResult(appended.Count >= count), $"{count} events");
    }
}
