using System.Transactions;
using CrawlData.Crawls;

namespace CrawlData.Tests.Crawls;

/// <summary>Followers inside the application's <see cref="TransactionScope"/>, whose snapshot would hide later commits.</summary>
public sealed class AmbientTransactionTests : EmptiedDatabaseTest
{
    [Test]
    public async Task Listing_all_crawls_in_an_ambient_transaction_misses_no_event()
    {
        var (crawl, other) = (await CreateCrawlAsync(), await CreateCrawlAsync());
        var ids = new List<long> { await Events.AppendAsync(crawl, Event(1)) };
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        ids.Add(await Events.AppendAsync(crawl, Event(2), transaction));
        ids.Add(await Events.AppendAsync(other, Event(3)));
        var time = new SignallingTime();

        using var scope = new TransactionScope(TransactionScopeAsyncFlowOption.Enabled);
        var reading = new CrawlEventRepository(DataSource, timeProvider: time).ListAllAsync();
        await time.Paused;
        await transaction.CommitAsync();

        Assert.That((await reading).Events.Select(one => one.Id), Is.EqualTo(ids));
    }

    [Test]
    public async Task A_follower_in_an_ambient_transaction_gets_later_events([Values] bool all)
    {
        var crawl = await CreateCrawlAsync();
        var ids = new List<long> { await Events.AppendAsync(crawl, Event(1)) };
        using var limit = new CancellationTokenSource(Wait.Longest);
        var events = all
            ? Events.FollowAllAsync(cancellationToken: limit.Token).SelectMany(batch => batch.Events)
            : Events.FollowAsync(crawl, cancellationToken: limit.Token);
        using var scope = new TransactionScope(TransactionScopeAsyncFlowOption.Enabled);
        await using var following = events.GetAsyncEnumerator();
        await following.MoveNextAsync();
        using (new TransactionScope(TransactionScopeOption.Suppress, TransactionScopeAsyncFlowOption.Enabled))
        {
            ids.Add(await Events.AppendAsync(crawl, Event(2)));
        }

        Assert.That(await following.MoveNextAsync());
        Assert.That(following.Current.Id, Is.EqualTo(ids[1]));
    }
}
