using CrawlData.Crawls;
using CrawlData.Storage;
using Npgsql;

namespace CrawlData.Tests.Crawls;

public class CrawlEventRepositoryAppendTests : DatabaseTest
{
    /// <summary>Sizes below and above the limit from which COPY writes the events.</summary>
    private static readonly int[] Sizes = [1, 7, 999, 1_000, 2_500];

    private static readonly string[] UnfitEventTypes = ["", new('x', 51), new string('x', 50) + " ", "a\0b", "a\ud83d", "\ude00a"];

    [Test]
    public async Task One_event_is_stored_as_given()
    {
        var crawl = await CreateCrawlAsync();
        var createdAt = new DateTimeOffset(2026, 3, 29, 2, 30, 0, TimeSpan.FromHours(-9.5)).AddTicks(1_234_567);

        var id = await Events.AppendAsync(
            crawl, new NewCrawlEvent { EventType = "step.navigated", Payload = Jsonb.Parse("""{"url": "https://example.org/é"}"""), CreatedAt = createdAt });

        Assert.That(await Events.GetLastAsync(crawl), Is.EqualTo(new CrawlEvent
        {
            Id = id,
            CrawlId = crawl,
            EventType = "step.navigated",
            Payload = Jsonb.Parse("""{"url": "https://example.org/é"}"""),
            CreatedAt = new DateTimeOffset(2026, 3, 29, 12, 0, 0, TimeSpan.Zero).AddTicks(1_234_560),
        }));
    }

    [TestCaseSource(nameof(Sizes))]
    public async Task A_batch_of_events_is_stored_in_order_under_the_returned_ids(int count)
    {
        var crawl = await CreateCrawlAsync();
        var before = DateTimeOffset.UtcNow;

        var ids = await Events.AppendAsync(crawl, EventsOf(count));

        var read = await Events.StreamAsync(crawl).ToListAsync();
        Assert.That(ids, Is.Ordered.And.Unique);
        Assert.That(read.Select(crawlEvent => crawlEvent.Id), Is.EqualTo(ids));
        Assert.That(read.Select(Number), Is.EqualTo(Enumerable.Range(1, count)));
        Assert.That(read.Select(crawlEvent => crawlEvent.CreatedAt).Distinct().Single(), Is.EqualTo(before).Within(TimeSpan.FromSeconds(30)));
    }

    /// <summary>As the writer appends. A batch of one crawl has no array of crawls.</summary>
    [Test]
    public async Task Events_of_available_crawls_are_appended_at_the_first_attempt([Values(1, 7, 1_000)] int count, [Values(1, 2)] int crawls)
    {
        var ids = await Task.WhenAll(Enumerable.Range(0, crawls).Select(_ => CreateCrawlAsync()));
        var batch = new RowBatch<NewCrawlEvent>([.. Enumerable.Range(0, count).Select(number => (ids[number % crawls], Event(number)))]);

        var appended = await Events.AppendAvailableAsync(batch, beforeCommit: null);

        Assert.That(appended.Ids, Has.Count.EqualTo(count).And.Ordered);
        Assert.That((await Task.WhenAll(ids.Select(crawl => Events.CountAsync(crawl)))).Sum(), Is.EqualTo(count));
    }

    [TestCaseSource(nameof(Sizes))]
    public async Task Events_of_several_crawls_keep_the_order_of_each_crawl(int count)
    {
        Guid[] crawls = [await CreateCrawlAsync(), await CreateCrawlAsync(), await CreateCrawlAsync()];

        var ids = await Events.AppendAsync(EventsOf(count).Select((crawlEvent, index) => (crawls[index % 3], crawlEvent)).ToList());

        Assert.That(ids, Has.Count.EqualTo(count).And.Ordered.And.Unique);
        for (var crawl = 0; crawl < 3; crawl++)
        {
            var read = await Events.StreamAsync(crawls[crawl]).ToListAsync();
            Assert.That(read.Select(crawlEvent => crawlEvent.Id), Is.EqualTo(ids.Where((_, index) => index % 3 == crawl)));
            Assert.That(read.Select(Number), Is.EqualTo(Enumerable.Range(1, count).Where(number => (number - 1) % 3 == crawl)));
        }
    }

    [TestCaseSource(nameof(Sizes))]
    public async Task One_unknown_crawl_in_a_batch_is_named_and_nothing_is_stored(int count)
    {
        var known = await CreateCrawlAsync();
        var unknown = Guid.CreateVersion7();

        var exception = await Assert.ThrowsAsync<RowNotFoundException>(
            () => Events.AppendAsync([(unknown, Event(0)), .. EventsOf(count).Select(crawlEvent => (known, crawlEvent))]));

        Assert.That(exception!.Ids, Is.EqualTo(new[] { unknown }));
        Assert.That(await Events.CountAsync(known), Is.Zero);
    }

    [Test]
    public async Task A_batch_mixes_explicit_times_and_the_database_s_time([Values(2, 1_200)] int count)
    {
        var crawl = await CreateCrawlAsync();
        var long_ago = new DateTimeOffset(2001, 2, 3, 4, 5, 6, TimeSpan.Zero);

        await Events.AppendAsync(crawl, EventsOf(count).Select((crawlEvent, index) => index % 2 == 0 ? crawlEvent with { CreatedAt = long_ago } : crawlEvent));

        var read = await Events.StreamAsync(crawl).ToListAsync();
        Assert.That(read.Where((_, index) => index % 2 == 0).Select(crawlEvent => crawlEvent.CreatedAt), Is.All.EqualTo(long_ago));
        Assert.That(
            read.Where((_, index) => index % 2 == 1).Select(crawlEvent => crawlEvent.CreatedAt),
            Is.All.EqualTo(DateTimeOffset.UtcNow).Within(TimeSpan.FromSeconds(30)));
    }

    [Test]
    public async Task An_empty_batch_appends_nothing() =>
        Assert.That(await Events.AppendAsync(Guid.CreateVersion7(), (IEnumerable<NewCrawlEvent>)[]), Is.Empty);

    [Test]
    public async Task A_null_event_is_named_by_its_index_and_nothing_is_stored()
    {
        var crawl = await CreateCrawlAsync();
        NewCrawlEvent[] events = [Event(1), Event(2), null!];

        await Assert.ThatAsync(
            () => Events.AppendAsync(crawl, events), Throws.InstanceOf<InvalidValueException>().With.Message.EqualTo("events: has null at index 2."));
        await Assert.ThatAsync(() => Events.AppendStreamAsync(crawl, events.ToAsyncEnumerable()), Throws.InstanceOf<InvalidValueException>());

        Assert.That(await Events.CountAsync(crawl), Is.Zero);
    }

    [Test]
    public async Task A_stream_is_appended_in_order([Values(0, 1, 1_000, 3_456)] int count)
    {
        var crawl = await CreateCrawlAsync();

        Assert.That(await Events.AppendStreamAsync(crawl, EventsOf(count).ToAsyncEnumerable()), Is.EqualTo(count));

        Assert.That((await Events.StreamAsync(crawl).ToListAsync()).Select(Number), Is.EqualTo(Enumerable.Range(1, count)));
    }

    [Test]
    public async Task A_stream_that_fails_stores_nothing()
    {
        var crawl = await CreateCrawlAsync();

        await Assert.ThrowsAsync<InvalidOperationException>(() => Events.AppendStreamAsync(crawl, BreaksOffAfter(2_500)));

        Assert.That(await Events.CountAsync(crawl), Is.Zero);
    }

    [Test]
    public async Task A_stream_to_an_unknown_crawl_is_a_typed_error() =>
        await Assert.ThrowsAsync<RowNotFoundException>(() => Events.AppendStreamAsync(Guid.CreateVersion7(), EventsOf(5).ToAsyncEnumerable()));

    [Test]
    public async Task A_stream_that_fails_leaves_the_caller_s_transaction_as_it_was()
    {
        var crawl = await CreateCrawlAsync();
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await Events.AppendAsync(crawl, Event(1), transaction);

        await Assert.ThrowsAsync<InvalidOperationException>(() => Events.AppendStreamAsync(crawl, BreaksOffAfter(2_500), transaction));
        await Events.AppendAsync(crawl, Event(2), transaction);
        await transaction.CommitAsync();

        Assert.That((await Events.StreamAsync(crawl).ToListAsync()).Select(Number), Is.EqualTo(new[] { 1, 2 }));
    }

    /// <summary>Goes red when the token reaches the writes of COPY: cancelling inside one breaks the connection.</summary>
    [Test]
    public async Task A_cancelled_stream_leaves_the_caller_s_transaction_as_it_was()
    {
        var crawl = await CreateCrawlAsync();
        var payload = Jsonb.From(new string('x', 20_000));
        for (var round = 0; round < 12; round++)
        {
            using var cancellation = new CancellationTokenSource();
            await using var connection = await DataSource.OpenConnectionAsync();
            await using var transaction = await connection.BeginTransactionAsync();
            await Events.AppendAsync(crawl, Event(round), transaction);
            cancellation.CancelAfter(TimeSpan.FromMilliseconds(5 + (3 * round)));

            await Assert.ThatAsync(
                () => Events.AppendStreamAsync(crawl, Endless(), transaction, cancellation.Token), Throws.InstanceOf<OperationCanceledException>());
            await transaction.CommitAsync();

            Assert.That(await Events.CountAsync(crawl), Is.EqualTo(round + 1));
        }

        async IAsyncEnumerable<NewCrawlEvent> Endless()
        {
            while (true)
            {
                yield return new NewCrawlEvent { EventType = "page", Payload = payload };
                await Task.CompletedTask;
            }
        }
    }

    /// <summary>It runs alone, because what other tests hold would count.</summary>
    [Test]
    [NonParallelizable]
    public async Task A_stream_of_any_length_is_appended_in_bounded_memory()
    {
        const int count = 60_000;
        const long bound = 24 * 1024 * 1024;
        var crawl = await CreateCrawlAsync();
        long start = 0;
        long most = 0;

        await Events.AppendStreamAsync(crawl, MeasuredAsync());

        Assert.That(await Events.CountAsync(crawl), Is.EqualTo(count));
        Assert.That(most - start, Is.LessThan(bound), "60,000 events of 1 KB are 60 MB and more");

        async IAsyncEnumerable<NewCrawlEvent> MeasuredAsync()
        {
            for (var number = 1; number <= count; number++)
            {
                if (number % 10_000 == 0)
                {
                    most = Math.Max(most, GC.GetTotalMemory(forceFullCollection: true));
                    start = start == 0 ? most : start;
                }

                yield return new NewCrawlEvent { EventType = "step", Payload = Jsonb.From(new { number, text = new string('x', 1_000) }) };
            }

            await Task.CompletedTask;
        }
    }

    [Test]
    public async Task Large_payloads_are_appended_whatever_their_total_size()
    {
        var crawl = await CreateCrawlAsync();
        var payload = Jsonb.From(new string('x', 3_000_000));

        await Events.AppendAsync(crawl, Enumerable.Repeat(new NewCrawlEvent { EventType = "page", Payload = payload }, 5));

        Assert.That((await Events.StreamAsync(crawl).ToListAsync()).Select(crawlEvent => crawlEvent.Payload), Is.All.EqualTo(payload));
    }

    [Test]
    public async Task A_run_ends_in_the_same_transaction_as_its_last_event()
    {
        var crawl = await CreateCrawlAsync();
        await Runs.StartAsync(crawl);

        await using (var connection = await DataSource.OpenConnectionAsync())
        {
            await using (var rolledBack = await connection.BeginTransactionAsync())
            {
                await Runs.CompleteAsync(crawl, rolledBack);
                await Events.AppendAsync(crawl, Event(1, "crawl.completed"), rolledBack);
                await Events.AppendAsync(crawl, EventsOf(1_500), rolledBack);
                await rolledBack.RollbackAsync();
            }

            Assert.That((await Runs.GetAsync(crawl))!.Status, Is.EqualTo(CrawlStatus.Running));
            Assert.That(await Events.CountAsync(crawl), Is.Zero);

            await using var committed = await connection.BeginTransactionAsync();
            await Runs.CompleteAsync(crawl, committed);
            await Events.AppendAsync(crawl, Event(1, "crawl.completed"), committed);
            await committed.CommitAsync();
        }

        Assert.That((await Runs.GetAsync(crawl))!.Status, Is.EqualTo(CrawlStatus.Completed));
        Assert.That((await Events.GetLastAsync(crawl))!.EventType, Is.EqualTo("crawl.completed"));
    }

    [Test]
    public async Task An_unknown_crawl_leaves_the_caller_s_transaction_usable([Values(1, 1_000)] int count)
    {
        var crawl = await CreateCrawlAsync();
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();

        await Assert.ThrowsAsync<RowNotFoundException>(() => Events.AppendAsync(Guid.CreateVersion7(), EventsOf(count), transaction));
        await Events.AppendAsync(crawl, Event(1), transaction);
        await transaction.CommitAsync();

        Assert.That(await Events.CountAsync(crawl), Is.EqualTo(1));
    }

    [Test]
    public async Task An_ended_transaction_is_refused_and_nothing_is_stored_outside_it([Values] bool disposed)
    {
        var crawl = await CreateCrawlAsync();
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await transaction.CommitAsync();
        if (disposed)
        {
            await transaction.DisposeAsync();
        }

        await Assert.ThatAsync(() => Events.AppendAsync(crawl, Event(1), transaction), Throws.InstanceOf<InvalidOperationException>());
        Assert.That(await Events.CountAsync(crawl), Is.Zero);
    }

    [TestCaseSource(nameof(UnfitEventTypes))]
    public void An_invalid_event_type_is_refused_by_its_property(string eventType)
    {
        var exception = Assert.Throws<InvalidValueException>(() => _ = new NewCrawlEvent { EventType = eventType, Payload = default });
        Assert.That(exception!.Field, Is.EqualTo("event_type"));
        Assert.That(eventType, Has.Length.LessThan(2).Or.Not.Contains(exception.Message));
    }

    [Test]
    public async Task The_length_of_an_event_type_is_counted_in_code_points()
    {
        var crawl = await CreateCrawlAsync();
        var fifty = string.Concat(Enumerable.Repeat("😀", 50));

        await Events.AppendAsync(crawl, Event(1, fifty));

        Assert.That((await Events.GetLastAsync(crawl))!.EventType, Is.EqualTo(fifty));
        Assert.That(() => Event(1, fifty + "x"), Throws.InstanceOf<InvalidValueException>().With.Message.Contains("51 characters"));
    }

    [Test]
    public void A_time_that_would_become_infinity_is_refused()
    {
        foreach (var value in new[] { default, DateTimeOffset.MinValue, DateTimeOffset.MaxValue })
        {
            Assert.That(() => Event(1) with { CreatedAt = value }, Throws.InstanceOf<InvalidValueException>().With.Property("Field").EqualTo("created_at"));
        }
    }

    [Test]
    public async Task A_cancelled_append_leaves_the_pool_healthy()
    {
        var crawl = await CreateCrawlAsync();
        await using var blocker = await DataSource.OpenConnectionAsync();
        await using var holdsTheLock = await blocker.BeginTransactionAsync();
        await Events.AppendAsync(crawl, Event(0), holdsTheLock);

        foreach (var count in new[] { 1, 2_000 })
        {
            using var cancellation = new CancellationTokenSource(TimeSpan.FromMilliseconds(100));
            await Assert.ThatAsync(() => Events.AppendAsync(crawl, EventsOf(count), null, cancellation.Token), Throws.InstanceOf<OperationCanceledException>());
        }

        await holdsTheLock.CommitAsync();
        Assert.That(await Events.CountAsync(crawl), Is.EqualTo(1));
        await Events.AppendAsync(crawl, Event(1));
        Assert.That(await Events.CountAsync(crawl), Is.EqualTo(2));
    }

    [Test]
    public async Task A_batch_that_the_server_refuses_throws_its_exception_and_stores_nothing()
    {
        var crawl = await CreateCrawlAsync();
        await using var readOnly = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(Database.ConnectionString) { Options = "-c default_transaction_read_only=on" });

        var exception = await Assert.ThrowsAsync<PostgresException>(
            () => new CrawlEventRepository(readOnly, retry: new RetryOptions { Limit = TimeSpan.Zero }).AppendAsync(crawl, EventsOf(3)));

        Assert.That(exception!.SqlState, Is.EqualTo(PostgresErrorCodes.ReadOnlySqlTransaction));
        Assert.That(await Events.CountAsync(crawl), Is.Zero);
    }

    private static int Number(CrawlEvent crawlEvent) => crawlEvent.Payload.ToElement().GetProperty("number").GetInt32();

    private static async IAsyncEnumerable<NewCrawlEvent> BreaksOffAfter(int count)
    {
        foreach (var crawlEvent in EventsOf(count))
        {
            yield return crawlEvent;
        }

        await Task.Yield();
        throw new InvalidOperationException("the source broke off");
    }
}
