using System.Diagnostics;
using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Instrumentation;
using CrawlData.Storage;
using Npgsql;

namespace CrawlData.Tests.Faults;

/// <summary>Appends through a proxy that loses connections. Each append is stored once, or is not stored and throws an error that says so.</summary>
public sealed class AppendFaultTests : DatabaseTest
{
    private static readonly int[] Sizes = [1, 3, 1_000];

    /// <summary>Goes red when a lost COMMIT throws without a verification, or is retried without one.</summary>
    [Test]
    public async Task An_append_whose_connection_is_cut_at_any_step_is_stored_once(
        [Values(Fault.CutBefore, Fault.CutMiddle, Fault.CutDuring, Fault.CutAfter, Fault.Silence)] Fault fault, [ValueSource(nameof(Sizes))] int count)
    {
        await using var proxy = new FaultProxy(Database.ConnectionString);
        await using var dataSource = proxy.CreateDataSource(Database.ConnectionString, settings => settings.MaxPoolSize = 1);
        var events = new CrawlEventRepository(dataSource);
        var steps = await CountStepsAsync(proxy, events, count);
        Assert.That(steps, Is.GreaterThanOrEqualTo(2));

        // Cut at each of the first steps, at some of a COPY's many, and at COMMIT, which is step 0. A server that does not notice the loss is tested at COMMIT
        // only: before that it holds the crawl's lock.
        foreach (var step in Enumerable.Range(0, steps).Where(step => step == 0 || (fault != Fault.Silence && (step <= 4 || step % 5 == 0))))
        {
            var crawl = await CreateCrawlAsync();
            var faults = 0;
            proxy.Restart();
            proxy.OnSent = (number, piece) =>
                (step == 0 ? FaultProxy.IsCommit(piece) : number == step) && Interlocked.Exchange(ref faults, 1) == 0 ? fault : Fault.None;

            var ids = await AppendAsync(events, crawl, count);

            var stored = await Events.StreamAsync(crawl).ToListAsync();
            Assert.That(stored.Select(crawlEvent => crawlEvent.Id), Is.EqualTo(ids), $"cut at step {step} of {steps}");
            Assert.That(stored, Has.Count.EqualTo(count));

            // The number of pieces of a COPY varies.
            Assert.That(faults, step <= 4 ? Is.EqualTo(1) : Is.LessThanOrEqualTo(1));
        }
    }

    [Test]
    public async Task A_lost_commit_of_log_lines_is_verified([Values(Fault.CutBefore, Fault.CutAfter)] Fault fault)
    {
        await using var proxy = new FaultProxy(Database.ConnectionString);
        await using var dataSource = proxy.CreateDataSource(Database.ConnectionString);
        var session = await EnqueueAsync();
        var cut = 0;
        proxy.OnSent = (_, piece) => FaultProxy.IsCommit(piece) && Interlocked.Exchange(ref cut, 1) == 0 ? fault : Fault.None;

        var ids = await new CrawlLogRepository(dataSource).AppendAsync(session, [Line(1), Line(2)]);

        Assert.That(cut, Is.EqualTo(1));
        Assert.That((await Logs.ListAsync(session)).Items.Select(line => line.Id), Is.EqualTo(ids));
    }

    [Test]
    public async Task A_stream_with_a_lost_commit_is_stored_once_or_reported_as_not_stored([Values(Fault.CutBefore, Fault.CutAfter)] Fault fault)
    {
        await using var proxy = new FaultProxy(Database.ConnectionString);
        await using var dataSource = proxy.CreateDataSource(Database.ConnectionString);
        var crawl = await CreateCrawlAsync();
        var cut = 0;
        proxy.OnSent = (_, piece) => FaultProxy.IsCommit(piece) && Interlocked.Exchange(ref cut, 1) == 0 ? fault : Fault.None;

        async Task<long> AppendAsync() => await new CrawlEventRepository(dataSource).AppendStreamAsync(crawl, EventsOf(2_500).ToAsyncEnumerable());

        if (fault == Fault.CutAfter)
        {
            Assert.That(await AppendAsync(), Is.EqualTo(2_500));
        }
        else
        {
            await Assert.ThatAsync(AppendAsync, Throws.InstanceOf<NpgsqlException>());
        }

        Assert.That(await Events.CountAsync(crawl), Is.EqualTo(fault == Fault.CutAfter ? 2_500 : 0));
    }

    [Test]
    public async Task An_outcome_that_cannot_be_verified_is_reported_as_unknown_with_its_ids([Values(Fault.CutBefore, Fault.CutAfter)] Fault fault)
    {
        await using var proxy = new FaultProxy(Database.ConnectionString);
        await using var dataSource = proxy.CreateDataSource(Database.ConnectionString);
        var crawl = await CreateCrawlAsync();
        proxy.OnSent = (_, piece) =>
        {
            proxy.Down |= FaultProxy.IsCommit(piece);
            return proxy.Down ? fault : Fault.None;
        };
        var (time, limit) = (new TimeThatPausesAdvance(), TimeSpan.FromSeconds(5));
        var started = time.GetUtcNow();

        var exception = await Assert.ThrowsAsync<AppendOutcomeUnknownException>(
            () => new CrawlEventRepository(dataSource, retry: new RetryOptions { Limit = limit }, timeProvider: time).AppendAsync(crawl, EventsOf(3)));

        // The last pause may exceed the limit.
        Assert.That(time.GetUtcNow() - started, Is.InRange(limit, limit + TimeSpan.FromSeconds(2)));
        Assert.That(exception!.Ids, Has.Count.EqualTo(3));
        Assert.That(
            (await Events.StreamAsync(crawl).ToListAsync()).Select(crawlEvent => crawlEvent.Id), Is.EqualTo(fault == Fault.CutAfter ? exception.Ids : []));
    }

    /// <summary>Appends one event, some and many of several crawls, and a stream, whose exception has the ids of its last chunk.</summary>
    [Test]
    public async Task A_caller_resolves_an_unknown_outcome_by_reading_the_first_row(
        [Values("one", "some", "many", "stream", "lines")] string what, [Values(Fault.CutBefore, Fault.CutAfter)] Fault fault)
    {
        await using var proxy = new FaultProxy(Database.ConnectionString);
        await using var dataSource = proxy.CreateDataSource(Database.ConnectionString);
        var (crawl, other, session) = (await CreateCrawlAsync(), await CreateCrawlAsync(), await EnqueueAsync());
        var options = new RetryOptions { Limit = TimeSpan.FromMilliseconds(200) };
        var (events, logs) = (new CrawlEventRepository(dataSource, retry: options), new CrawlLogRepository(dataSource, retry: options));
        proxy.OnSent = (_, piece) =>
        {
            proxy.Down |= FaultProxy.IsCommit(piece);
            return proxy.Down ? fault : Fault.None;
        };

        var exception = await Assert.ThrowsAsync<AppendOutcomeUnknownException>(() => what switch
        {
            "one" => events.AppendAsync(crawl, Event(1)),
            "stream" => events.AppendStreamAsync(crawl, EventsOf(1_001).ToAsyncEnumerable()),
            "lines" => logs.AppendAsync(session, [Line(1), Line(2)]),
            _ => events.AppendAsync([.. EventsOf(what == "some" ? 3 : 1_500).Select((one, index) => (index == 0 ? crawl : other, one))]),
        });

        var (parent, first) = (exception!.ParentId, exception.Ids[0]);
        Assert.That(parent, Is.EqualTo(what == "lines" ? session : crawl));
        var found = what == "lines" ? await Logs.GetAsync(parent, first) is not null : await Events.GetAsync(parent, first) is not null;
        Assert.That(found, Is.EqualTo(fault == Fault.CutAfter));
    }

    /// <summary>Goes red when the retries after a lost COMMIT measure their time anew.</summary>
    [Test]
    public async Task The_limit_of_retries_covers_lost_commits_and_other_errors_together()
    {
        var limit = TimeSpan.FromSeconds(10);
        var time = new TimeWithoutPauses();
        await using var proxy = new FaultProxy(Database.ConnectionString);
        await using var dataSource = proxy.CreateDataSource(Database.ConnectionString);
        var crawl = await CreateCrawlAsync();
        var attempts = 0;
        proxy.OnSent = (_, piece) => FaultProxy.IsCommit(piece) ? Fault.CutBefore : Fault.None;

        await Assert.ThatAsync(
            () => Transactions(dataSource, limit, time).RunAsync(
                async (connection, transaction) =>
                {
                    // Two lost COMMITs, the second when the time is almost up. Then the server cannot be reached.
                    time.Advance(attempts == 1 ? limit * 0.99 : limit * 0.02);
                    return attempts++ < 2
                        ? await InDoubtAppend.InsertAsync(connection, transaction, crawl)
                        : throw new NpgsqlException("the connection was lost", new IOException());
                },
                rows: 1,
                beforeCommit: null,
                repeatable: true,
                CancellationToken.None).AsTask(),
            Throws.InstanceOf<NpgsqlException>());

        Assert.That(attempts, Is.EqualTo(3));
        Assert.That(await Events.CountAsync(crawl), Is.Zero);
    }

    [TestCase("127.0.0.1:1,127.0.0.1:2")]
    [TestCase("127.0.0.1:1")]
    public async Task An_unreachable_server_is_retried_until_the_limit(string host)
    {
        await using var dataSource = NpgsqlDataSource.Create($"Host={host};Username=nobody;Password=nothing");
        var watch = Stopwatch.StartNew();

        await Assert.ThatAsync(
            () => new CrawlEventRepository(dataSource, retry: new RetryOptions { Limit = TimeSpan.FromSeconds(1) }).AppendAsync(Guid.NewGuid(), EventsOf(3)),
            Throws.InstanceOf<NpgsqlException>());

        Assert.That(watch.Elapsed, Is.GreaterThan(TimeSpan.FromSeconds(0.9)));
    }

    [Test]
    public async Task Nothing_is_retried_in_a_caller_s_transaction()
    {
        await using var proxy = new FaultProxy(Database.ConnectionString);
        await using var dataSource = proxy.CreateDataSource(Database.ConnectionString);
        var crawl = await CreateCrawlAsync();
        await using var connection = await dataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        var events = new CrawlEventRepository(dataSource);
        await events.AppendAsync(crawl, Event(1), transaction);
        proxy.OnSent = (_, _) => Fault.CutBefore;
        proxy.Restart();

        await Assert.ThatAsync(() => events.AppendAsync(crawl, Event(2), transaction), Throws.InstanceOf<NpgsqlException>());

        Assert.That(proxy.Sent, Is.EqualTo(1));
        Assert.That(await Events.CountAsync(crawl), Is.Zero);
    }

    [Test]
    public async Task A_deadlock_is_retried()
    {
        var (first, second) = (await CreateCrawlAsync(), await CreateCrawlAsync());
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();

        // This transaction waits longer, so the server aborts the append.
        await new NpgsqlCommand("set local deadlock_timeout = '1h'", connection, transaction).ExecuteNonQueryAsync();
        var (low, high) = first.CompareTo(second) < 0 ? (first, second) : (second, first);
        await Events.AppendAsync(high, Event(1), transaction);
        var append = Events.AppendAsync([(low, Event(2)), (high, Event(3))]);
        await Wait.UntilBlockedByAsync(DataSource, connection);
        var blocked = Events.AppendAsync(low, Event(4), transaction);
        await blocked;
        await transaction.CommitAsync();

        Assert.That(await append, Has.Count.EqualTo(2));
        Assert.That((await Events.CountAsync(low), await Events.CountAsync(high)), Is.EqualTo((2L, 2L)));
    }

    /// <summary>Cancels when the client sends a piece: before the server gets it, or at the same time.</summary>
    [Test]
    public async Task A_cancelled_append_is_stored_or_not_stored_and_never_later([Values(1, 5, 1_200)] int count, [Values] bool before)
    {
        await using var proxy = new FaultProxy(Database.ConnectionString);
        await using var dataSource = proxy.CreateDataSource(Database.ConnectionString);
        var events = new CrawlEventRepository(dataSource);
        var steps = await CountStepsAsync(proxy, events, count);
        var crawl = await CreateCrawlAsync();
        var acknowledged = new List<long>();

        for (var step = 1; step <= steps; step++)
        {
            using var cancellation = new CancellationTokenSource();
            var cancelling = Task.CompletedTask;
            var (isReached, committing) = (false, false);
            proxy.Restart();
            proxy.OnSent = (number, piece) =>
            {
                if (number == step)
                {
                    (isReached, committing) = (true, FaultProxy.IsCommit(piece));
                    cancelling = Task.Run(cancellation.Cancel);
                    if (before)
                    {
                        cancelling.Wait();
                    }
                }

                return Fault.None;
            };
            var cancelled = false;
            try
            {
                acknowledged.AddRange(await AppendAsync(events, crawl, count, cancellation.Token));
            }
            catch (OperationCanceledException)
            {
                cancelled = true;
            }

            proxy.OnSent = (_, _) => Fault.None;
            await cancelling;

            // A COPY may send fewer pieces than before. A cancellation at the same time may be late.
            Assert.That(step > 2 || isReached, $"step {step} of {steps}");
            if (before || committing || !isReached)
            {
                Assert.That(cancelled, Is.EqualTo(isReached && !committing), $"step {step} of {steps}");
            }

            var stored = await Events.StreamAsync(crawl).Select(crawlEvent => crawlEvent.Id).ToListAsync();
            Assert.That(stored, Is.EqualTo(acknowledged), $"step {step} of {steps}");
        }

        Assert.That((await AppendAsync(events, crawl, count)).Count, Is.EqualTo(count));
    }

    private static AppendTransaction Transactions(NpgsqlDataSource dataSource, TimeSpan limit, TimeProvider? timeProvider = null)
    {
        var telemetry = new Telemetry(dataSource, "crawl_events");
        var retry = new RetryPolicy(dataSource, limit, timeProvider ?? TimeProvider.System, telemetry, TestLog.Instance);
        var verifier = new CommitVerifier(dataSource, retry, CrawlEventStatements.LockParentSql, CrawlEventStatements.RowIsOfTransactionSql);
        return new AppendTransaction(dataSource, retry, verifier, new StatementPreparation(dataSource), telemetry, TestLog.Instance);
    }

    /// <summary>Counts the pieces that an append sends on an open connection.</summary>
    private async Task<int> CountStepsAsync(FaultProxy proxy, CrawlEventRepository events, int count)
    {
        var crawl = await CreateCrawlAsync();
        await AppendAsync(events, crawl, count);
        proxy.Restart();
        await AppendAsync(events, crawl, count);
        return proxy.Sent;
    }

    private static async Task<IReadOnlyList<long>> AppendAsync(
        CrawlEventRepository events, Guid crawl, int count, CancellationToken cancellationToken = default) =>
        count == 1
            ? [await events.AppendAsync(crawl, Event(1), cancellationToken: cancellationToken)]
            : await events.AppendAsync(crawl, EventsOf(count), cancellationToken: cancellationToken);
}
