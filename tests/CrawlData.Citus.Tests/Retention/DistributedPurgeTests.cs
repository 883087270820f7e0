using CrawlData.Citus.Tests.Clusters;
using CrawlData.Crawls;
using CrawlData.Retention;
using CrawlData.Tests;

namespace CrawlData.Citus.Tests.Retention;

/// <summary>Purges crawls of several shards.</summary>
public sealed class DistributedPurgeTests
{
    private static readonly TimeSpan Month = TimeSpan.FromDays(30);

    [Test]
    public async Task Old_ended_crawls_are_purged_in_batches_and_others_stay()
    {
        await using var database = await CitusDatabase.StartAsync(CitusLayout.DistributedCrawls);
        var (runs, events) = (new CrawlRunRepository(database.DataSource), new CrawlEventRepository(database.DataSource));
        var purger = new RetentionPurger(database.DataSource);
        for (var number = 0; number < 12; number++)
        {
            await InsertAsync(CrawlStatus.Completed, daysAgo: 40, eventsDaysAgo: 40);
        }

        var young = await InsertAsync(CrawlStatus.Completed, daysAgo: 10, eventsDaysAgo: 10);
        var appendedLately = await InsertAsync(CrawlStatus.Failed, daysAgo: 40, eventsDaysAgo: 10);
        var running = await InsertAsync(CrawlStatus.Running, daysAgo: 40, eventsDaysAgo: 40);
        var locked = await InsertAsync(CrawlStatus.Cancelled, daysAgo: 40, eventsDaysAgo: 40);
        var steps = new List<PurgeTotal>();
        await using var connection = await database.DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await events.AppendAsync(locked, Event(daysAgo: 0), transaction);

        var would = await purger.PurgeCrawlsAsync(Month, batchSize: 10, dryRun: true);
        var total = await purger.PurgeCrawlsAsync(Month, batchSize: 10, progress: new ImmediateProgress<PurgeTotal>(steps.Add));
        await transaction.CommitAsync();
        var again = await purger.PurgeCrawlsAsync(Month);

        Assert.That(total, Is.EqualTo(new PurgeTotal { Deleted = 12, Rows = 12 * 7, Left = 1 }));
        Assert.That(would with { Left = 1 }, Is.EqualTo(total with { Deleted = 13, Rows = 13 * 7 }), "a dry run takes no locks");
        Assert.That(steps.Zip(steps.Skip(1), (before, after) => after.Rows - before.Rows), Is.All.LessThanOrEqualTo(10));
        Assert.That(again, Is.EqualTo(new PurgeTotal()));
        Assert.That(
            (await runs.ListAsync()).Items.Select(run => run.Id), Is.EquivalentTo(new[] { young, appendedLately, running, locked }));
        Assert.That(await events.CountAsync(locked), Is.EqualTo(8));

        async Task<Guid> InsertAsync(CrawlStatus status, int daysAgo, int eventsDaysAgo)
        {
            var run = await runs.InsertAsync(new NewCrawlRun
            {
                AppPackage = "org.example.app",
                Status = status,
                CreatedAt = Ago(daysAgo + 1),
                CompletedAt = status == CrawlStatus.Completed ? Ago(daysAgo) : null,
                CancelledAt = status == CrawlStatus.Cancelled ? Ago(daysAgo) : null,
            });
            await events.AppendAsync(run.Id, Enumerable.Repeat(Event(eventsDaysAgo), 7));
            return run.Id;
        }
    }

    private static NewCrawlEvent Event(int daysAgo) => new() { EventType = "step", Payload = Jsonb.Parse("{}"), CreatedAt = Ago(daysAgo) };

    private static DateTimeOffset Ago(int days) => DateTimeOffset.UtcNow.AddDays(-days);
}
