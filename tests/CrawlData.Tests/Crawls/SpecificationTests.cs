using System.Diagnostics;
using CrawlData.Crawls;
using Npgsql;

namespace CrawlData.Tests.Crawls;

/// <summary>The four tests that the specification names.</summary>
public sealed class SpecificationTests : DatabaseTest
{
    [Test]
    public async Task Inserts_a_run_and_reads_it_back()
    {
        var created = await Runs.InsertAsync(new NewCrawlRun
        {
            AppPackage = "org.example.shop",
            DeviceConfig = Jsonb.Parse("""{"width": 412, "height": 915}"""),
            MaxSteps = 300,
            Goal = "Visit every screen once",
        });

        var read = await Runs.GetAsync(created.Id);

        Assert.That(read, Is.EqualTo(created));
        Assert.Multiple(() =>
        {
            Assert.That(read!.AppPackage, Is.EqualTo("org.example.shop"));
            Assert.That(read.DeviceConfig, Is.EqualTo(Jsonb.Parse("""{"height": 915, "width": 412}""")));
            Assert.That(read.MaxSteps, Is.EqualTo(300));
            Assert.That(read.Goal, Is.EqualTo("Visit every screen once"));
            Assert.That(read.Status, Is.EqualTo(CrawlStatus.Pending));
            Assert.That(read.Id.Version, Is.EqualTo(7));
            Assert.That(read.CreatedAt, Is.EqualTo(DateTimeOffset.UtcNow).Within(TimeSpan.FromMinutes(1)));
            Assert.That(read.CreatedAt.Offset, Is.EqualTo(TimeSpan.Zero));
        });
    }

    [Test]
    public async Task A_thousand_events_get_sequential_ids()
    {
        var crawl = await CreateCrawlAsync();

        var ids = await Events.AppendAsync(crawl, EventsOf(1_000));

        Assert.That(ids, Has.Count.EqualTo(1_000).And.Ordered.And.Unique);
        var read = await Events.StreamAsync(crawl).ToListAsync();
        Assert.That(read.Select(crawlEvent => crawlEvent.Id), Is.EqualTo(ids));
        Assert.That(read.Select(crawlEvent => crawlEvent.Payload.ToElement().GetProperty("number").GetInt32()), Is.EqualTo(Enumerable.Range(1, 1_000)));
    }

    [Test]
    public async Task A_foreign_key_refuses_orphaned_events()
    {
        var unknown = Guid.CreateVersion7();

        var refused = await Assert.ThrowsAsync<RowNotFoundException>(() => Events.AppendAsync(unknown, Event(1)));
        Assert.That(refused!.Ids, Is.EqualTo(new[] { unknown }));

        await using var insert = DataSource.CreateCommand("insert into crawl_events (crawl_id, event_type, payload) values ($1, 'step', '{}')");
        insert.Parameters.Add(new NpgsqlParameter { Value = unknown });
        var byTheServer = await Assert.ThrowsAsync<PostgresException>(() => insert.ExecuteNonQueryAsync());
        Assert.That(byTheServer!.SqlState, Is.EqualTo(PostgresErrorCodes.ForeignKeyViolation));
    }

    /// <summary>Reads beside a hand-written query, in turn: a busy machine slows both. A read that takes twice the hand-written time fails.</summary>
    [Test]
    [NonParallelizable]
    public async Task Ten_thousand_events_of_one_crawl_are_read_in_under_100_ms_and_like_a_hand_written_query()
    {
        const int rounds = 21;
        var crawl = await CreateCrawlAsync();
        await Events.AppendAsync(crawl, Enumerable.Range(1, 10_000).Select(number => new NewCrawlEvent
        {
            EventType = "element.found",
            Payload = Jsonb.From(new { number, text = new string('x', 220) }),
        }));

        var (times, ratios) = (new List<double>(), new List<double>());
        for (var round = 0; round < rounds; round++)
        {
            var byHand = await TimeAsync(() => ReadByHandAsync(crawl));
            var byLibrary = await TimeAsync(async () => (await Events.StreamAsync(crawl).ToListAsync()).Count);
            times.Add(byLibrary);
            ratios.Add(byLibrary / byHand);
        }

        var ratio = ratios.Order().ElementAt(rounds / 2);
        TestContext.Out.WriteLine($"10,000 events in {times.Min():0} ms at best, {ratio:0.00} of the hand-written query's time in the median");
        Assert.That(ratio, Is.LessThan(1.5));
        Assert.That(times.Min(), Is.LessThan(100));

        static async Task<double> TimeAsync(Func<Task<int>> read)
        {
            var watch = Stopwatch.StartNew();
            Assert.That(await read(), Is.EqualTo(10_000));
            return watch.Elapsed.TotalMilliseconds;
        }
    }

    private async Task<int> ReadByHandAsync(Guid crawl)
    {
        await using var command = DataSource.CreateCommand(
            "select id, crawl_id, event_type, payload, created_at at time zone 'utc' from crawl_events where crawl_id = $1 order by crawl_id, id");
        command.Parameters.Add(new NpgsqlParameter { Value = crawl });
        await using var reader = await command.ExecuteReaderAsync();
        var rows = new List<(long Id, Guid CrawlId, string EventType, byte[] Payload, DateTime CreatedAt)>();
        while (await reader.ReadAsync())
        {
            rows.Add((reader.GetInt64(0), reader.GetGuid(1), reader.GetString(2), reader.GetFieldValue<byte[]>(3), reader.GetDateTime(4)));
        }

        return rows.Count;
    }
}
