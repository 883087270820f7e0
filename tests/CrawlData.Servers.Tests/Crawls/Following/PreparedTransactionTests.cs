using CrawlData.Crawls;
using CrawlData.Tests.Servers;

namespace CrawlData.Tests.Crawls;

/// <summary>Events of transactions that are prepared for a two-phase commit.</summary>
[Parallelizable(ParallelScope.Self)]
public sealed class PreparedTransactionTests
{
    private RestartableServer server = null!;

    [OneTimeSetUp]
    public async Task StartServerAsync()
    {
        server = await RestartableServer.StartAsync();
        await server.SetAsync(("max_prepared_transactions", "5"));
        await server.RestartAsync("fast");
        server.DataSource.Clear();
    }

    [OneTimeTearDown]
    public async Task StopServerAsync()
    {
        if (server is not null)
        {
            await server.DisposeAsync();
        }
    }

    /// <summary>A restart gives a prepared transaction another virtual transaction id.</summary>
    [Test]
    public async Task An_event_of_a_prepared_transaction_comes_before_later_ones([Values] bool restart)
    {
        var time = new PausesForTransactions();
        var events = new CrawlEventRepository(server.DataSource);
        var crawl = (await new CrawlRunRepository(server.DataSource).InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" })).Id;
        var other = (await new CrawlRunRepository(server.DataSource).InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" })).Id;
        var ids = new List<long> { await events.AppendAsync(other, Event()) };
        await using var following = new CrawlEventRepository(server.DataSource, timeProvider: time)
            .FollowAllAsync(DatabaseTest.CursorAfter(ids[0] - 1)).SelectMany(batch => batch.Events).GetAsyncEnumerator();
        await following.MoveNextAsync();
        await using (var connection = await server.DataSource.OpenConnectionAsync())
        {
            await using var transaction = await connection.BeginTransactionAsync();
            ids.Add(await events.AppendAsync(crawl, Event(), transaction));
            ids.Add(await events.AppendAsync(other, Event()));
            var next = following.MoveNextAsync().AsTask();
            await time.UntilMoreAsync(2);

            await using var prepare = connection.CreateCommand();
            prepare.CommandText = "prepare transaction 'late'";
            await prepare.ExecuteNonQueryAsync();
            if (restart)
            {
                await server.RestartAsync();
                server.DataSource.Clear();
            }

            ids.Add(await events.AppendAsync(other, Event()));
            await Task.WhenAny(next, time.UntilMoreAsync(8));
            Assert.That(next.IsCompleted, Is.False, "later events were not held back");
            await using var commit = server.DataSource.CreateCommand("commit prepared 'late'");
            await commit.ExecuteNonQueryAsync();

            var read = new List<long> { ids[0] };
            for (; await next.WaitAsync(Wait.Longest) && read.Count < 3; next = following.MoveNextAsync().AsTask())
            {
                read.Add(following.Current.Id);
            }

            read.Add(following.Current.Id);
            Assert.That(read, Is.EqualTo(ids));
        }
    }

    private static NewCrawlEvent Event() => new() { EventType = "step", Payload = Jsonb.Parse("{}") };
}
