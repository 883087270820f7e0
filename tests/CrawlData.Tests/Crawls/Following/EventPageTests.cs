using CrawlData.Crawls;
using CrawlData.Instrumentation;
using CrawlData.Storage;

namespace CrawlData.Tests.Crawls;

/// <summary>Followers hold a bounded number of bytes, however large the events are.</summary>
public sealed class EventPageTests : EmptiedDatabaseTest
{
    private const int MiB = 1024 * 1024;


    [Test]
    public async Task A_batch_of_large_events_ends_at_16_MiB([Values] bool follow)
    {
        var crawl = await CreateCrawlAsync();
        var payload = Jsonb.From(new { text = new string('a', MiB) });
        var ids = await Events.AppendAsync(crawl, Enumerable.Repeat(new NewCrawlEvent { EventType = "page", Payload = payload }, 20));

        var first = await ReadAsync(follow, cursor: null);
        var second = await ReadAsync(follow, first.Cursor);

        Assert.That(first.Events, Has.Count.EqualTo(16));
        Assert.That(first.Events.Concat(second.Events).Select(one => one.Id), Is.EqualTo(ids));
    }

    /// <summary>An event that is deleted before the follower reads its page is not delivered.</summary>
    [Test]
    public async Task A_follower_of_a_crawl_reads_large_events_in_small_pages()
    {
        var crawl = await CreateCrawlAsync();
        var ids = await Events.AppendAsync(crawl, EventsOf(20));
        await Runs.CancelAsync(crawl);
        await using var following = Follower(pageBytes: 100)
            .FollowAsync(crawl, null, CrawlEventFollowOptions.Default, CancellationToken.None).GetAsyncEnumerator();
        await following.MoveNextAsync();
        await ExecuteAsync("delete from crawl_events where id = @id", new { id = ids[^1] });

        var read = new List<long> { following.Current.Id };
        while (await following.MoveNextAsync())
        {
            read.Add(following.Current.Id);
        }

        Assert.That(read, Is.EqualTo(ids.SkipLast(1)));
    }

    [Test]
    public async Task An_event_larger_than_a_page_is_read_alone()
    {
        var crawl = await CreateCrawlAsync();
        var ids = await Events.AppendAsync(crawl, EventsOf(3));

        using var limit = new CancellationTokenSource(Wait.Longest);
        var batches = await Follower(pageBytes: 1).FollowAllAsync(null, CrawlEventFollowOptions.Default, limit.Token).Take(3).ToListAsync();

        Assert.That(batches.Select(batch => batch.Events.Single().Id), Is.EqualTo(ids));
    }

    private async Task<CrawlEventBatch> ReadAsync(bool follow, string? cursor)
    {
        using var limit = new CancellationTokenSource(Wait.Longest);
        return follow
            ? await Events.FollowAllAsync(cursor, cancellationToken: limit.Token).FirstAsync()
            : await Events.ListAllAsync(cursor, cancellationToken: limit.Token);
    }

    private CrawlEventFollower Follower(long pageBytes)
    {
        var telemetry = new Telemetry(DataSource, CrawlEventStatements.EventsTable);
        var retry = new RetryPolicy(DataSource, TimeSpan.FromSeconds(30), TimeProvider.System, telemetry, TestLog.Instance);
        return new CrawlEventFollower(DataSource, retry, TimeProvider.System, telemetry, TestLog.Instance) { PageBytes = pageBytes };
    }
}
