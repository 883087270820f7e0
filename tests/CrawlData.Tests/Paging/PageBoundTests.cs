using System.Diagnostics.Metrics;
using CrawlData.Crawls;
using Npgsql;

namespace CrawlData.Tests;

/// <summary>Pages hold a bounded number of bytes, however large the rows are. A page ends at 16 MiB of payloads and texts.</summary>
public sealed class PageBoundTests : EmptiedDatabaseTest
{
    private static readonly Jsonb Large = Payload(9);

    [Test]
    public async Task A_page_of_events_ends_at_16_MiB_and_a_larger_event_comes_alone([Values] bool inTransaction)
    {
        var crawl = await CreateCrawlAsync();
        var ids = await Events.AppendAsync(crawl, new[] { Payload(17), Payload(0), Large, Large, Payload(0) }.Select(NewEvent));
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = inTransaction ? await connection.BeginTransactionAsync() : null;

        await AssertPagesAsync(cursor => Events.ListAsync(crawl, cursor: cursor, transaction: transaction), one => one.Id, ids, [1, 3, 1]);

        if (transaction is not null)
        {
            // A cancelled query would have aborted it.
            await Events.AppendAsync(crawl, Event(1), transaction);
            await transaction.CommitAsync();
        }
    }

    /// <summary>The last page has no cursor, also where it ends at its bytes or at its rows.</summary>
    [Test]
    public async Task A_page_that_ends_at_the_last_row_is_the_last()
    {
        var crawl = await CreateCrawlAsync();
        var ids = await Events.AppendAsync(crawl, [NewEvent(Large), NewEvent(Large)]);

        await AssertPagesAsync(cursor => Events.ListAsync(crawl, cursor: cursor), one => one.Id, ids, [2]);
        await AssertPagesAsync(cursor => Events.ListAsync(crawl, pageSize: 2, cursor: cursor), one => one.Id, ids, [2]);
        await AssertPagesAsync(cursor => Events.ListAsync(crawl, pageSize: 1, cursor: cursor), one => one.Id, ids, [1, 1]);
    }

    /// <summary>Without a cancel, the connection would read all 40 MiB.</summary>
    [Test]
    public async Task A_page_that_ends_at_its_bytes_does_not_read_the_rest()
    {
        var crawl = await CreateCrawlAsync();
        await Events.AppendAsync(crawl, Enumerable.Repeat(NewEvent(Payload(1)), 40));
        await using var dataSource = new NpgsqlDataSourceBuilder(Database.ConnectionString) { Name = "bounded pages" }.Build();
        var bytesRead = 0L;
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument is { Meter.Name: "Npgsql", Name: "db.client.operation.npgsql.bytes_read" })
            {
                self.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>(
            (_, bytes, tags, _) => Interlocked.Add(ref bytesRead, tags.ToArray().Any(tag => tag.Value is "bounded pages") ? bytes : 0));
        listener.Start();

        var page = await new CrawlEventRepository(dataSource).ListAsync(crawl);

        Assert.That(page.Items, Has.Count.EqualTo(16));
        Assert.That(bytesRead, Is.InRange(16 << 20, 32 << 20));
    }

    [Test]
    public async Task A_page_of_runs_ends_at_16_MiB([Values] ListOrder order)
    {
        var ids = new List<Guid>();
        foreach (var (config, goal) in new[] { (Large, ""), (Payload(0), new string('g', 9 << 20)), (Payload(0), "") })
        {
            ids.Add((await Runs.InsertAsync(new NewCrawlRun { AppPackage = "a", DeviceConfig = config, Goal = goal })).Id);
        }

        await AssertPagesAsync(cursor => Runs.ListAsync(null, 50, cursor, order), one => one.Id, InOrder(ids, order), order.Choose<int[]>([3], [2, 1]));
    }

    [Test]
    public async Task A_page_of_sessions_ends_at_16_MiB([Values] ListOrder order)
    {
        var ids = new List<Guid>();
        foreach (var config in new[] { Large, Large, Payload(0) })
        {
            ids.Add((await Sessions.InsertAsync(Session() with { ConfigSnapshot = config })).Id);
        }

        await AssertPagesAsync(cursor => Sessions.ListAsync(null, 50, cursor, order), one => one.Id, InOrder(ids, order), order.Choose<int[]>([3], [2, 1]));
    }

    [Test]
    public async Task A_page_of_log_lines_ends_at_16_MiB()
    {
        var session = await EnqueueAsync();
        var ids = await Logs.AppendAsync(session, [Line(1) with { Details = Large }, Line(2) with { Message = new string('m', 9 << 20) }, Line(3)]);

        await AssertPagesAsync(cursor => Logs.ListAsync(session, cursor: cursor), one => one.Id, ids, [2, 1]);
    }

    private static async Task AssertPagesAsync<T, TId>(
        Func<string?, Task<Page<T>>> list, Func<T, TId> id, IEnumerable<TId> expected, IEnumerable<int> sizes)
    {
        var pages = new List<Page<T>>();
        do
        {
            pages.Add(await list(pages.LastOrDefault()?.NextCursor));
        }
        while (pages[^1].NextCursor is not null);

        Assert.That(pages.Select(page => page.Items.Count), Is.EqualTo(sizes));
        Assert.That(pages.SelectMany(page => page.Items).Select(id), Is.EqualTo(expected));
    }

    private static IEnumerable<Guid> InOrder(List<Guid> ids, ListOrder order) => order == ListOrder.OldestFirst ? ids : Enumerable.Reverse(ids);

    private static NewCrawlEvent NewEvent(Jsonb payload) => new() { EventType = "page", Payload = payload };

    private static Jsonb Payload(int mebibytes) =>
        Jsonb.Parse($"\"{new string('a', mebibytes << 20)}\"", new JsonbOptions { MaxBytes = JsonbOptions.LargestMaxBytes });
}
