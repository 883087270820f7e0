using CrawlData.Crawls;
using CrawlData.Tests.Faults;
using CrawlData.Tests.Servers;
using Npgsql;

namespace CrawlData.Tests.Crawls;

/// <summary>A promoted standby draws ids again that a reader of all crawls found on the primary, where their events were visible without the standby.</summary>
[Parallelizable(ParallelScope.Self)]
public sealed class PromotedStandbyTests
{
    // The sequence is logged 32 ids ahead.
    private const int LostEvents = 100;

    [Test]
    public async Task A_reader_of_all_crawls_does_not_keep_its_place_on_the_lost_primary()
    {
        await using var servers = await ReplicatedServers.StartAsync(synchronous: true);
        var primary = servers.Primary;
        await using var proxy = new FaultProxy(primary.ConnectionString);
        await using var throughProxy = proxy.CreateDataSource(primary.ConnectionString);
        await using var withoutStandby = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(primary.ConnectionString) { Options = "-c synchronous_commit=local" });
        var runs = new CrawlRunRepository(primary.DataSource);
        var crawl = (await runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" })).Id;
        var other = (await runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" })).Id;
        var first = await new CrawlEventRepository(primary.DataSource).AppendAsync(crawl, Event());
        var time = new PausesForTransactions();
        await using var following = new CrawlEventRepository(throughProxy, timeProvider: time)
            .FollowAllAsync(DatabaseTest.CursorAfter(first - 1)).SelectMany(batch => batch.Events).GetAsyncEnumerator();
        await following.MoveNextAsync();

        await servers.CutOffAsync();
        await using var lost = await withoutStandby.OpenConnectionAsync();
        await using var lostTransaction = await lost.BeginTransactionAsync();
        var events = new CrawlEventRepository(withoutStandby);
        await events.AppendAsync(crawl, Event(), lostTransaction);
        await events.AppendAsync(other, Enumerable.Repeat(Event(), LostEvents));
        var next = following.MoveNextAsync().AsTask();
        await time.UntilMoreAsync(2);

        await primary.StopAsync();
        await servers.PromoteAsync();
        proxy.Port = servers.StandbyPort;
        events = new CrawlEventRepository(servers.Standby);
        await using var connection = await servers.Standby.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        var held = await events.AppendAsync(crawl, [Event()], transaction);
        var later = await events.AppendAsync(other, Event());
        Assert.That(later, Is.LessThan(first + LostEvents), "ids are drawn again");

        await Task.WhenAny(next, time.UntilMoreAsync(8));
        Assert.That(next.IsCompleted, Is.False, "the later event was not held back");
        await transaction.CommitAsync();
        Assert.That(await next.WaitAsync(Wait.Longest), Is.True);
        Assert.That(following.Current.Id, Is.EqualTo(held[0]));
    }

    private static NewCrawlEvent Event() => new() { EventType = "step", Payload = Jsonb.Parse("{}") };
}
