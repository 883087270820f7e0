using System.Transactions;
using CrawlData.Crawls;

namespace CrawlData.Tests.Storage;

/// <summary>An ambient transaction is serializable by default. Its snapshot would hide what was committed since, for as long as it lasts.</summary>
public sealed class AmbientTransactionTests : DatabaseTest
{
    [Test]
    public async Task Reads_in_an_ambient_transaction_see_what_was_committed_since()
    {
        var crawl = await CreateCrawlAsync();
        await Events.AppendAsync(crawl, Event(1));

        using (new TransactionScope(TransactionScopeAsyncFlowOption.Enabled))
        {
            Assert.That(await Events.CountAsync(crawl), Is.EqualTo(1));
            using (new TransactionScope(TransactionScopeOption.Suppress, TransactionScopeAsyncFlowOption.Enabled))
            {
                await Events.AppendAsync(crawl, Event(2));
            }

            Assert.That(await Events.CountAsync(crawl), Is.EqualTo(2));
            Assert.That(await Events.StreamAsync(crawl).CountAsync(), Is.EqualTo(2));
        }
    }

    [Test]
    public async Task Writes_in_an_ambient_transaction_are_refused()
    {
        var crawl = await CreateCrawlAsync();
        var session = await EnqueueAsync();
        var claim = new CrawlRunClaim((await Runs.GetAsync(crawl))!, 1, 1);
        await using var writer = new CrawlEventWriter(Events);
        Func<Task>[] writes =
        [
            () => Runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" }),
            () => Runs.StartAsync(crawl),
            () => Runs.DeleteAsync(crawl),
            () => RunQueue.ClaimNextAsync(),
            () => RunQueue.HeartbeatAsync([claim]),
            () => RunQueue.CompleteAsync(claim),
            () => RunQueue.FailStaleAsync(TimeSpan.FromDays(1)),
            () => RunQueue.RetryAsync(crawl),
            () => Events.AppendAsync(claim, Event(1)),
            () => writer.WriteAsync(claim, Event(1)),
            () => Events.AppendAsync(crawl, Event(1)),
            () => Events.AppendAsync(crawl, EventsOf(1_500)),
            () => Events.AppendStreamAsync(crawl, EventsOf(3).ToAsyncEnumerable()),
            () => writer.WriteAsync(crawl, Event(1)),
            () => writer.AppendAsync(crawl, Event(1)),
            () => Logs.AppendAsync(session, Line(1)),
            () => Sessions.InsertAsync(Session()),
            () => Queue.ClaimNextAsync(),
            () => Queue.RescueStaleAsync(TimeSpan.FromDays(1), maxAttempts: 3),
            () => Pages.InsertAsync(session, Page()),
            () => Sweeper.SweepAsync(new DelegateStore((artifacts, _) => Task.FromResult(artifacts))),
            () => Purger.PurgeArtifactsAsync(TimeSpan.FromDays(1)),
            () => Purger.PurgeSessionsAsync(TimeSpan.FromDays(1)),
            () => Purger.PurgeCrawlsAsync(TimeSpan.FromDays(1)),
        ];

        using (new TransactionScope(TransactionScopeAsyncFlowOption.Enabled))
        {
            foreach (var write in writes)
            {
                await Assert.ThatAsync(write, Throws.InvalidOperationException.With.Message.Contains("TransactionScope"));
            }
        }

        await writer.FlushAsync();
        Assert.That(await Events.CountAsync(crawl), Is.Zero);
        Assert.That((await Runs.GetAsync(crawl))!.Status, Is.EqualTo(CrawlStatus.Pending));
    }

    [Test]
    public async Task A_write_in_the_caller_s_transaction_is_not_refused()
    {
        var crawl = await CreateCrawlAsync();

        using (new TransactionScope(TransactionScopeAsyncFlowOption.Enabled))
        {
            await using var connection = await OpenOutsideAsync();
            await using var transaction = await connection.BeginTransactionAsync();
            await Events.AppendAsync(crawl, Event(1), transaction);
            await transaction.CommitAsync();
        }

        Assert.That(await Events.CountAsync(crawl), Is.EqualTo(1));

        async Task<Npgsql.NpgsqlConnection> OpenOutsideAsync()
        {
            using var outside = new TransactionScope(TransactionScopeOption.Suppress, TransactionScopeAsyncFlowOption.Enabled);
            return await DataSource.OpenConnectionAsync();
        }
    }
}
