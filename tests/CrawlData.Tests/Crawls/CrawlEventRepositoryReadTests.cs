using CrawlData.Crawls;
using CrawlData.Testing;
using Npgsql;

namespace CrawlData.Tests.Crawls;

public class CrawlEventRepositoryReadTests : DatabaseTest
{
    private static readonly DateTimeOffset Start = new(2026, 10, 25, 0, 30, 0, TimeSpan.Zero);

    [Test]
    public async Task Events_are_read_after_and_up_to_an_id()
    {
        var (crawl, ids) = await TenEventsAsync();

        await AssertReadAsync(crawl, new CrawlEventFilter { AfterId = ids[3] }, ids.Skip(4));
        await AssertReadAsync(crawl, new CrawlEventFilter { UpToId = ids[3] }, ids.Take(4));
        await AssertReadAsync(crawl, new CrawlEventFilter { AfterId = ids[1], UpToId = ids[6] }, ids.Skip(2).Take(5));
        await AssertReadAsync(crawl, new CrawlEventFilter { AfterId = ids[9] }, []);
    }

    [Test]
    public async Task Events_are_read_by_types()
    {
        var (crawl, ids) = await TenEventsAsync();

        await AssertReadAsync(crawl, new CrawlEventFilter { EventTypes = ["even"] }, ids.Where((_, index) => index % 2 == 0));
        await AssertReadAsync(crawl, new CrawlEventFilter { EventTypes = ["even", "odd", "neither"] }, ids);
        await AssertReadAsync(crawl, new CrawlEventFilter { EventTypes = [] }, []);
    }

    [Test]
    public async Task Events_are_read_by_a_time_range_from_its_start_to_before_its_end()
    {
        var (crawl, ids) = await TenEventsAsync();

        await AssertReadAsync(crawl, new CrawlEventFilter { CreatedFrom = Start.AddMinutes(2), CreatedBefore = Start.AddMinutes(5) }, ids.Skip(2).Take(3));
        await AssertReadAsync(crawl, new CrawlEventFilter { CreatedFrom = Start.AddMinutes(8).ToOffset(TimeSpan.FromHours(14)) }, ids.Skip(8));
    }

    [Test]
    public async Task Paging_returns_each_event_once_and_the_last_page_has_no_cursor([Values(1, 3, 5, 10, 11)] int pageSize)
    {
        var (crawl, ids) = await TenEventsAsync();
        var pages = new List<Page<CrawlEvent>>();

        do
        {
            pages.Add(await Events.ListAsync(crawl, null, pageSize, pages.LastOrDefault()?.NextCursor));
        }
        while (pages[^1].NextCursor is not null);

        Assert.That(pages.SelectMany(page => page.Items).Select(crawlEvent => crawlEvent.Id), Is.EqualTo(ids));
        Assert.That(pages.SkipLast(1).Select(page => page.Items.Count), Is.All.EqualTo(pageSize));
        Assert.That(pages, Has.Count.EqualTo((ids.Count + pageSize - 1) / pageSize));
    }

    [Test]
    public async Task A_page_applies_its_filter_and_starts_after_the_later_of_cursor_and_id()
    {
        var (crawl, ids) = await TenEventsAsync();
        var cursor = (await Events.ListAsync(crawl, pageSize: 4)).NextCursor;

        Assert.That(await IdsAsync(new CrawlEventFilter { AfterId = ids[1] }), Is.EqualTo(ids.Skip(4)));
        Assert.That(await IdsAsync(new CrawlEventFilter { AfterId = ids[5], UpToId = ids[8] }), Is.EqualTo(ids.Skip(6).Take(3)));
        Assert.That(await IdsAsync(new CrawlEventFilter { EventTypes = ["even"] }), Is.EqualTo(new[] { ids[4], ids[6], ids[8] }));

        async Task<IEnumerable<long>> IdsAsync(CrawlEventFilter filter) =>
            (await Events.ListAsync(crawl, filter, cursor: cursor)).Items.Select(crawlEvent => crawlEvent.Id);
    }

    [Test]
    public async Task A_page_size_out_of_range_is_refused([Values(-1, 0, CrawlEventRepository.MaxPageSize + 1)] int pageSize) => await Assert.ThatAsync(
        () => Events.ListAsync(Guid.Empty, pageSize: pageSize),
        Throws.InstanceOf<ArgumentOutOfRangeException>().With.Property("ParamName").EqualTo("pageSize"));

    [Test]
    public async Task Events_are_counted_in_total_and_by_type()
    {
        var (crawl, ids) = await TenEventsAsync();

        Assert.That(await Events.CountAsync(crawl), Is.EqualTo(10));
        Assert.That(await Events.CountAsync(crawl, new CrawlEventFilter { AfterId = ids[6], EventTypes = ["odd"] }), Is.EqualTo(2));
        Assert.That(await Events.CountByTypeAsync(crawl), Is.EquivalentTo(new Dictionary<string, long> { ["even"] = 5, ["odd"] = 5 }));
        Assert.That(
            await Events.CountByTypeAsync(crawl, new CrawlEventFilter { UpToId = ids[2] }),
            Is.EquivalentTo(new Dictionary<string, long> { ["even"] = 2, ["odd"] = 1 }));
    }

    [Test]
    public async Task An_event_is_read_by_its_crawl_and_id()
    {
        var (crawl, ids) = await TenEventsAsync();

        Assert.That(await Events.GetAsync(crawl, ids[3]), Is.EqualTo((await Events.ListAsync(crawl)).Items[3]));
        Assert.That(await Events.GetAsync(await CreateCrawlAsync(), ids[3]), Is.Null);
        Assert.That(await Events.GetAsync(crawl, long.MaxValue), Is.Null);
    }

    [Test]
    public async Task The_last_event_has_the_highest_id()
    {
        var (crawl, ids) = await TenEventsAsync();

        Assert.That((await Events.GetLastAsync(crawl))!.Id, Is.EqualTo(ids[9]));
        Assert.That(await Events.GetLastAsync(Guid.CreateVersion7()), Is.Null);
    }

    [Test]
    public async Task A_read_in_the_caller_s_transaction_sees_its_writes()
    {
        var crawl = await CreateCrawlAsync();
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await Runs.StartAsync(crawl, transaction);
        var id = await Events.AppendAsync(crawl, Event(1), transaction);

        Assert.That((await Runs.GetAsync(crawl, transaction))!.Status, Is.EqualTo(CrawlStatus.Running));
        Assert.That((await Events.GetLastAsync(crawl, transaction))!.Id, Is.EqualTo(id));
        Assert.That((await Events.ListAsync(crawl, transaction: transaction)).Items.Count, Is.EqualTo(await Events.CountAsync(crawl, null, transaction)));
        Assert.That((await Events.StreamAsync(crawl, transaction: transaction).SingleAsync()).Id, Is.EqualTo(id));
        Assert.That((await Events.GetAsync(crawl, id, transaction))!.Id, Is.EqualTo(id));
        Assert.That(await Events.CountAsync(crawl), Is.Zero, "others do not see it yet");
    }

    /// <summary>Goes red when the query is cancelled, as it is outside a caller's transaction.</summary>
    [Test]
    public async Task Leaving_a_stream_early_leaves_the_caller_s_transaction_as_it_was()
    {
        var crawl = await LongCrawlAsync(20_000);
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();

        Assert.That(await Events.StreamAsync(crawl, transaction: transaction).FirstAsync(), Is.Not.Null);

        await Events.AppendAsync(crawl, Event(1), transaction);
        await transaction.CommitAsync();
        Assert.That(await Events.CountAsync(crawl), Is.EqualTo(20_001));
    }

    [Test]
    public async Task A_stream_in_an_ended_transaction_is_refused()
    {
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await transaction.CommitAsync();

        await Assert.ThatAsync(async () => await Events.StreamAsync(Guid.Empty, transaction: transaction).AnyAsync(), Throws.InvalidOperationException);
    }

    [Test]
    public void A_filter_by_an_invalid_event_type_is_refused() =>
        Assert.That(
            () => new CrawlEventFilter { EventTypes = ["a", "b\0"] }, Throws.InstanceOf<InvalidValueException>().With.Property("Field").EqualTo("event_types"));

    [Test]
    public async Task A_cancelled_stream_ends_at_the_next_event()
    {
        var (crawl, _) = await TenEventsAsync();
        using var cancellation = new CancellationTokenSource();
        var read = 0;

        await Assert.ThatAsync(
            async () =>
            {
                await foreach (var _ in Events.StreamAsync(crawl, cancellationToken: cancellation.Token))
                {
                    read++;
                    await cancellation.CancelAsync();
                }
            },
            Throws.InstanceOf<OperationCanceledException>());

        Assert.That(read, Is.EqualTo(1));
    }

    /// <summary>It runs alone, because what other tests hold would count.</summary>
    [Test]
    [NonParallelizable]
    public async Task A_long_stream_is_read_in_bounded_memory()
    {
        const int count = 200_000;
        var crawl = await LongCrawlAsync(count);
        var read = 0;
        long start = 0;
        long most = 0;

        await foreach (var crawlEvent in Events.StreamAsync(crawl))
        {
            if (++read == 1)
            {
                start = GC.GetTotalMemory(forceFullCollection: true);
            }

            if (read % 50_000 == 0)
            {
                most = Math.Max(most, GC.GetTotalMemory(forceFullCollection: true));
            }
        }

        Assert.That(read, Is.EqualTo(count));
        Assert.That(most - start, Is.LessThan(24 * 1024 * 1024), "200,000 events are 90 MB");
    }

    [Test]
    public async Task The_first_event_is_returned_while_the_server_still_sends()
    {
        var crawl = await LongCrawlAsync(200_000);
        await using var source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(Database.ConnectionString) { ApplicationName = "first event" });

        await foreach (var _ in new CrawlEventRepository(source).StreamAsync(crawl))
        {
            await Wait.UntilAsync(
                DataSource,
                """
                select state = 'active' and wait_event = 'ClientWrite' from pg_stat_activity
                where datname = current_database() and application_name = 'first event'
                """);
            break;
        }
    }

    /// <summary>Goes red without the cancel request: the server then sends all remaining rows, and the query succeeds.</summary>
    [Test]
    public async Task Leaving_a_stream_early_cancels_the_query([Values] bool byItsToken)
    {
        await using var database = await ThrowawayDatabase.StartAsync(new ThrowawayDatabaseOptions { Logger = TestLog.Instance });
        var crawl = (await new CrawlRunRepository(database.DataSource).InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" })).Id;
        var events = new CrawlEventRepository(database.DataSource);
        await events.AppendAsync(crawl, Enumerable.Repeat(new NewCrawlEvent { EventType = "page", Payload = Jsonb.From(new string('x', 10_000)) }, 5_000));
        const int times = 5;

        for (var time = 0; time < times; time++)
        {
            using var cancellation = new CancellationTokenSource();
            try
            {
                await foreach (var _ in events.StreamAsync(crawl, cancellationToken: cancellation.Token))
                {
                    if (!byItsToken)
                    {
                        break;
                    }

                    await cancellation.CancelAsync();
                }
            }
            catch (OperationCanceledException)
            {
                Assert.That(byItsToken);
            }
        }

        Assert.That(await events.CountAsync(crawl), Is.EqualTo(5_000), "the connections are as good as before");

        // A cancelled query counts as rolled back.
        await Wait.UntilAsync(
            database.DataSource, $"select xact_rollback >= {times} from pg_stat_database where datname = current_database()");
    }

    /// <summary>With few types each value repeats, with many it does not. The longest has two hundred bytes.</summary>
    [Test]
    public async Task Event_types_are_read_back_unchanged_however_many_there_are([Values(1, 16, 17, 40)] int types)
    {
        var crawl = await CreateCrawlAsync();
        var eventTypes = Enumerable.Range(0, 120)
            .Select(number => number % 10 == 9 ? $"{number % types:00}{string.Concat(Enumerable.Repeat("\U0001F600", 48))}" : $"é{number % types}").ToList();
        await Events.AppendAsync(crawl, eventTypes.Select(eventType => Event(1, eventType)));
        var stream = Events.StreamAsync(crawl);
        await using var other = stream.GetAsyncEnumerator();
        await other.MoveNextAsync();

        Assert.That(await stream.Select(stored => stored.EventType).ToListAsync(), Is.EqualTo(eventTypes));
        Assert.That((await Events.StreamAsync(crawl).ToListAsync()).Select(stored => stored.EventType), Is.EqualTo(eventTypes));
    }

    [Test]
    public async Task A_lost_connection_causes_the_server_s_error()
    {
        var crawl = await LongCrawlAsync(50_000);
        await using var source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(Database.ConnectionString) { ApplicationName = "breaks off" });
        var events = new CrawlEventRepository(source);

        await Assert.ThatAsync(
            async () =>
            {
                await foreach (var _ in events.StreamAsync(crawl))
                {
                    await using var terminate = DataSource.CreateCommand(
                        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'breaks off'");
                    await terminate.ExecuteNonQueryAsync();
                }
            },
            Throws.InstanceOf<NpgsqlException>());
        Assert.That(await events.CountAsync(crawl), Is.EqualTo(50_000));
    }

    [Test]
    public async Task Cancelling_at_any_point_leaves_the_pool_healthy()
    {
        var crawl = await LongCrawlAsync(20_000);
        await using var source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(Database.ConnectionString) { MaxPoolSize = 2, Timeout = 5 });
        var events = new CrawlEventRepository(source);
        foreach (var point in new[] { 0, 1, 2, 500, 10_000, 19_999 })
        {
            using var cancellation = new CancellationTokenSource();
            var read = 0;
            await Assert.ThatAsync(
                async () =>
                {
                    if (point == 0)
                    {
                        await cancellation.CancelAsync();
                    }

                    await foreach (var _ in events.StreamAsync(crawl, cancellationToken: cancellation.Token))
                    {
                        if (++read == point)
                        {
                            await cancellation.CancelAsync();
                        }
                    }

                    cancellation.Token.ThrowIfCancellationRequested();
                },
                Throws.InstanceOf<OperationCanceledException>());
            Assert.That(await events.CountAsync(crawl), Is.EqualTo(20_000));
        }
    }

    private async Task AssertReadAsync(Guid crawl, CrawlEventFilter query, IEnumerable<long> expected)
    {
        var ids = expected.ToList();
        var streamed = new List<CrawlEvent>();
        await foreach (var crawlEvent in Events.StreamAsync(crawl, query))
        {
            streamed.Add(crawlEvent);
        }

        Assert.That(streamed.Select(crawlEvent => crawlEvent.Id), Is.EqualTo(ids));
        Assert.That((await Events.ListAsync(crawl, query)).Items, Is.EqualTo(streamed));
        Assert.That(await Events.CountAsync(crawl, query), Is.EqualTo(ids.Count));
    }

    private async Task<(Guid Crawl, IReadOnlyList<long> Ids)> TenEventsAsync()
    {
        var crawl = await CreateCrawlAsync();
        var other = await CreateCrawlAsync();
        var events = Enumerable.Range(0, 10).Select(index => Event(index, index % 2 == 0 ? "even" : "odd") with { CreatedAt = Start.AddMinutes(index) });
        var ids = await Events.AppendAsync(events.SelectMany(crawlEvent => new[] { (crawl, crawlEvent), (other, crawlEvent) }).ToList());
        return (crawl, ids.Where((_, index) => index % 2 == 0).ToList());
    }

    private async Task<Guid> LongCrawlAsync(int count)
    {
        var crawl = await CreateCrawlAsync();
        await using var insert = DataSource.CreateCommand(
            """
            insert into crawl_events (crawl_id, event_type, payload)
            select $1, 'step', jsonb_build_object('number', number, 'text', repeat('x', 200)) from generate_series(1, $2) as number
            """);
        insert.Parameters.Add(new NpgsqlParameter { Value = crawl });
        insert.Parameters.Add(new NpgsqlParameter { Value = count });
        await insert.ExecuteNonQueryAsync();

        // Autovacuum would do it. Without statistics the planner sorts the whole crawl first.
        await using var analyze = DataSource.CreateCommand("vacuum analyze crawl_events");
        await analyze.ExecuteNonQueryAsync();
        return crawl;
    }
}
