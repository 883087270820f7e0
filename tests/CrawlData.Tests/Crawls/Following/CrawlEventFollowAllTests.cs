using CrawlData.Crawls;
using Npgsql;

namespace CrawlData.Tests.Crawls;

/// <summary>Reading the events of all crawls in the order of their ids misses none. The cases run one after the other, because each sees the others'
/// events.</summary>
public class CrawlEventFollowAllTests : EmptiedDatabaseTest
{
    [Test]
    public async Task Events_of_all_crawls_are_read_in_id_order_after_a_cursor([Values(1, 3, 1_000)] int pageSize)
    {
        var crawls = new[] { await CreateCrawlAsync(), await CreateCrawlAsync() };
        var ids = await Events.AppendAsync([.. Enumerable.Range(0, 10).Select(number => (crawls[number % 2], Event(number)))]);

        var read = new List<long>();
        var batch = await Events.ListAllAsync(CursorAfter(ids[1]), pageSize);
        for (; batch.Events.Count > 0; batch = await Events.ListAllAsync(batch.Cursor, pageSize))
        {
            Assert.That(batch.Events, Has.Count.LessThanOrEqualTo(pageSize));
            read.AddRange(batch.Events.Select(one => one.Id));
        }

        Assert.That(read, Is.EqualTo(ids.Skip(2)));
        Assert.That((await Events.ListAllAsync(batch.Cursor)).Cursor, Is.EqualTo(batch.Cursor), "an empty batch goes on where it began");
        var options = new CrawlEventFollowOptions { PageSize = pageSize };
        Assert.That(await Events.FollowAllAsync(options: options).SelectMany(one => one.Events).Take(10).Select(one => one.Id).ToListAsync(), Is.EqualTo(ids));
    }

    /// <summary>Goes red when open transactions are not waited for, or when an append of a thousand events draws its ids before it takes the table's
    /// lock.</summary>
    [Test]
    public async Task An_uncommitted_event_holds_back_later_ones_and_comes_first([Values(1, 3, 1_000)] int count)
    {
        var (late, other) = (await CreateCrawlAsync(), await CreateCrawlAsync());
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        var ids = (await Events.AppendAsync(late, EventsOf(count), transaction)).ToList();
        ids.AddRange(await Events.AppendAsync(other, EventsOf(3)));

        var time = new SignallingTime();
        var reading = new CrawlEventRepository(DataSource, timeProvider: time).ListAllAsync(limit: 2_000);
        await time.Paused;
        Assert.That(reading.IsCompleted, Is.False);
        await transaction.CommitAsync();

        Assert.That((await reading).Events.Select(one => one.Id), Is.EqualTo(ids));
    }

    [Test]
    public async Task Each_followed_batch_has_events_and_a_cursor_that_continues_after_them()
    {
        var crawl = await CreateCrawlAsync();
        var ids = (await Events.AppendAsync(crawl, EventsOf(5))).ToList();
        await using var following = Events.FollowAllAsync(options: new CrawlEventFollowOptions { PageSize = 2 }).GetAsyncEnumerator();
        var read = new List<long>();

        for (var count = 0; count < 4; count++)
        {
            Assert.That(await following.MoveNextAsync());
            Assert.That(following.Current.Events, Is.Not.Empty);
            read.AddRange(following.Current.Events.Select(one => one.Id));
            if (count == 2)
            {
                ids.Add(await Events.AppendAsync(crawl, Event(6)));
            }

            Assert.That((await Events.ListAllAsync(following.Current.Cursor)).Events.Select(one => one.Id), Is.EqualTo(ids.Skip(read.Count)));
        }

        Assert.That(read, Is.EqualTo(ids));
    }

    /// <summary>A statement of its own draws the ids before the COPY, which certainly takes the lock.</summary>
    [Test]
    public async Task Reserved_ids_hold_back_later_events()
    {
        var (late, other) = (await CreateCrawlAsync(), await CreateCrawlAsync());
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using (var reserve = new NpgsqlCommand(CrawlEventStatements.ReserveSql, connection, transaction))
        {
            reserve.Parameters.Add(new NpgsqlParameter { Value = new[] { late } });
            reserve.Parameters.Add(new NpgsqlParameter { Value = 1_000 });
            await reserve.ExecuteNonQueryAsync();
        }

        await Events.AppendAsync(other, EventsOf(3));

        var time = new SignallingTime();
        var reading = new CrawlEventRepository(DataSource, timeProvider: time).ListAllAsync();
        await time.Paused;
        Assert.That(reading.IsCompleted, Is.False);
        await transaction.RollbackAsync();

        Assert.That((await reading).Events, Has.Count.EqualTo(3));
    }

    [Test]
    public async Task An_open_transaction_holds_back_later_events_but_no_connection()
    {
        await using var dataSource = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(Database.ConnectionString) { MaxPoolSize = 1 });
        var events = new CrawlEventRepository(dataSource);
        var (late, other) = (await CreateCrawlAsync(), await CreateCrawlAsync());
        await Events.AppendAsync(other, EventsOf(1));
        var following = events.FollowAllAsync().GetAsyncEnumerator();
        await following.MoveNextAsync();
        var before = following.Current.Cursor;
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        var id = await Events.AppendAsync(late, Event(2), transaction);
        await Events.AppendAsync(other, EventsOf(3));

        var next = following.MoveNextAsync().AsTask();
        var listed = events.ListAllAsync(before);
        Assert.That(await events.CountAsync(other), Is.EqualTo(4));
        Assert.That((await listed).Events, Is.Empty);
        Assert.That(next.IsCompleted, Is.False);
        await transaction.CommitAsync();

        Assert.That(await next.WaitAsync(Wait.Longest));
        Assert.That(following.Current.Events[0].Id, Is.EqualTo(id));
        await following.DisposeAsync();
    }

    [Test]
    public async Task Transactions_that_append_no_events_hold_nothing_back()
    {
        var crawl = await CreateCrawlAsync();
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await Runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" }, transaction);
        await Events.ListAsync(crawl, transaction: transaction);
        await Events.AppendAsync(crawl, EventsOf(3));

        Assert.That((await Events.ListAllAsync().WaitAsync(Wait.Longest)).Events, Has.Count.EqualTo(3));
    }

    [Test]
    public async Task Ids_of_a_rolled_back_transaction_hold_nothing_back()
    {
        var crawl = await CreateCrawlAsync();
        await Events.AppendAsync(crawl, EventsOf(1));
        await using (var connection = await DataSource.OpenConnectionAsync())
        await using (var transaction = await connection.BeginTransactionAsync())
        {
            await Events.AppendAsync(crawl, EventsOf(10), transaction);
        }

        var first = await Events.ListAllAsync();
        Assert.That((await Events.ListAllAsync(first.Cursor)).Events, Is.Empty);
        var id = await Events.AppendAsync(crawl, Event(2));
        Assert.That((await Events.ListAllAsync(first.Cursor)).Events.Select(one => one.Id), Is.EqualTo(new[] { id }));
    }

    [Test]
    public async Task A_cursor_beyond_all_ids_is_refused()
    {
        var id = await Events.AppendAsync(await CreateCrawlAsync(), Event(1));

        Assert.That((await Events.ListAllAsync(CursorAfter(id))).Events, Is.Empty);
        await Assert.ThatAsync(
            () => Events.ListAllAsync(CursorAfter(id + 1)), Throws.InstanceOf<InvalidValueException>().With.Property("Field").EqualTo("cursor"));
        await Assert.ThatAsync(
            async () => await Events.FollowAllAsync(CursorAfter(id + 1)).AnyAsync(),
            Throws.InstanceOf<InvalidValueException>().With.Property("Field").EqualTo("cursor"));
    }

    [Test]
    public async Task An_empty_table_returns_a_cursor_for_later_events()
    {
        var batch = await Events.ListAllAsync();
        Assert.That(batch.Events, Is.Empty);

        var id = await Events.AppendAsync(await CreateCrawlAsync(), Event(1));
        Assert.That((await Events.ListAllAsync(batch.Cursor)).Events.Single().Id, Is.EqualTo(id));
    }

    [Test]
    public async Task A_limit_below_one_is_refused() =>
        await Assert.ThatAsync(
            () => Events.ListAllAsync(limit: 0), Throws.InstanceOf<ArgumentOutOfRangeException>().With.Property("ParamName").EqualTo("limit"));

    /// <summary>Transactions roll back at random, and a long one stays open. A naive reader by id misses thousands of events.</summary>
    [Test]
    public async Task Under_load_a_follower_misses_no_event_though_a_naive_reader_does()
    {
        var crawls = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => CreateCrawlAsync()));
        using var enough = new CancellationTokenSource(TimeSpan.FromSeconds(2));
        using var drained = new CancellationTokenSource();
        var (received, naive, stored) = (new ReceivedItems<long>(), new ReceivedItems<long>(), new List<long>());
        var following = Task.Run(async () =>
        {
            await foreach (var batch in Events.FollowAllAsync(cancellationToken: drained.Token))
            {
                received.Add(batch.Events.Select(one => one.Id));
            }
        });
        var reading = Task.Run(async () =>
        {
            await using var connection = await DataSource.OpenConnectionAsync();
            for (long after = 0; !drained.IsCancellationRequested;)
            {
                await using var read = new NpgsqlCommand("select id from crawl_events where id > $1 order by id limit 1000", connection);
                read.Parameters.Add(new() { Value = after });
                await using var reader = await read.ExecuteReaderAsync();
                while (await reader.ReadAsync())
                {
                    naive.Add([after = reader.GetInt64(0)]);
                }
            }
        });

        // The naive reader certainly misses one event: it passes a later one before that one is committed.
        await using (var connection = await DataSource.OpenConnectionAsync())
        {
            await using var transaction = await connection.BeginTransactionAsync();
            stored.Add(await Events.AppendAsync(crawls[0], Event(1), transaction));
            stored.Add(await Events.AppendAsync(crawls[1], Event(1)));
            await naive.UntilCountAsync(1);
            await transaction.CommitAsync();
        }

        await using var unrelated = await DataSource.OpenConnectionAsync();
        await using var open = await unrelated.BeginTransactionAsync();
        await Runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" }, open);

        await Task.WhenAll(crawls.Select(crawl => Task.Run(async () =>
        {
            var random = new Random(crawl.GetHashCode());
            while (!enough.IsCancellationRequested)
            {
                await using var connection = await DataSource.OpenConnectionAsync();
                await using var transaction = await connection.BeginTransactionAsync();
                var ids = await Events.AppendAsync(crawl, EventsOf(random.Next(1, 5)), transaction);
                await RunSlowStatementAsync(transaction, random.Next(5));
                if (random.Next(5) == 0)
                {
                    continue;
                }

                await transaction.CommitAsync();
                lock (stored)
                {
                    stored.AddRange(ids);
                }
            }
        })));
        await received.UntilCountAsync(stored.Count);
        await drained.CancelAsync();
        await Assert.ThatAsync(() => following, Throws.InstanceOf<OperationCanceledException>());
        await reading;
        var seen = received.ToList();

        TestContext.Out.WriteLine($"{stored.Count} stored, {stored.Count - seen.Count} missed; by a reader of plain ids {stored.Count - naive.Count}");
        Assert.That(seen, Is.EqualTo(stored.Order()));
        Assert.That(naive.Count, Is.LessThan(stored.Count), "there must be something to miss");
    }
}
