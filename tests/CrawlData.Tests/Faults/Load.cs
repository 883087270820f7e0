using System.Collections.Concurrent;
using CrawlData.Crawls;
using Npgsql;

namespace CrawlData.Tests.Faults;

/// <summary>Sixteen tasks append events. Half of them append batches of all sizes, some in transactions of their own; the others share one <see
/// cref="CrawlEventWriter"/>. Followers read each crawl and all crawls. The reported outcome of each event is compared with the stored rows, and those with the
/// delivered events.</summary>
internal sealed class Load(NpgsqlDataSource dataSource, NpgsqlDataSource witness, int crawlCount) : IDisposable
{
    private const int WriterCount = 16;


    private readonly CrawlEventRepository events = new(dataSource, retry: new RetryOptions { Limit = Wait.Longest }, notify: true);
    private readonly ConcurrentDictionary<(Guid Crawl, int Writer, int Number), ReportedOutcome> reported = [];
    private readonly List<Guid> crawls = [];
    private readonly List<(Guid Crawl, Task<List<long>> Followed)> followers = [];
    private readonly ReceivedItems<long> followedAll = new();
    private readonly CancellationTokenSource enough = new();
    private readonly ReceivedItems<int> appended = new();
    private Task followingAll = Task.CompletedTask;
    private int failed;

    private enum ReportedOutcome
    {
        Stored,
        NotStored,
        Unknown,
    }

    /// <summary>Whether calls are cancelled at random moments.</summary>
    public bool Cancels { get; init; }

    public async Task PrepareAsync()
    {
        var runs = new CrawlRunRepository(witness);
        for (var number = 0; number < crawlCount; number++)
        {
            var crawl = (await runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app", Status = CrawlStatus.Running })).Id;
            var options = new CrawlEventFollowOptions { Listen = number % 2 == 0, PageSize = 500 };
            crawls.Add(crawl);
            followers.Add((crawl, Task.Run(async () => await events.FollowAsync(crawl, options: options).Select(crawlEvent => crawlEvent.Id).ToListAsync())));
        }

        await using var newest = witness.CreateCommand("select coalesce(max(id), 0) from crawl_events");
        var before = (long)(await newest.ExecuteScalarAsync())!;
        var ours = crawls.ToHashSet();
        followingAll = Task.Run(async () =>
        {
            await foreach (var batch in events.FollowAllAsync(DatabaseTest.CursorAfter(before), cancellationToken: enough.Token))
            {
                followedAll.Add(batch.Events.Where(one => ours.Contains(one.CrawlId)).Select(one => one.Id));
            }
        });
    }

    public void Dispose() => enough.Dispose();

    /// <summary>Waits until some more calls have appended their events.</summary>
    public Task UntilAppendedAsync(int calls) => appended.UntilCountAsync(appended.Count + calls);

    public async Task WriteAsync(CancellationToken end)
    {
        var writer = new CrawlEventWriter(events, new CrawlEventWriterOptions { Linger = TimeSpan.FromMilliseconds(20) });
        await Task.WhenAll(Enumerable.Range(0, WriterCount).Select(number => Task.Run(() => number % 2 == 0
            ? AppendAsync(number, new Random(number), end)
            : WriteAsync(writer, number, new Random(number), end))));
        try
        {
            await writer.DisposeAsync();
        }
        catch (CrawlEventsNotStoredException)
        {
            Note(writer);
        }
    }

    /// <summary>Counts the outcomes, and asserts that no event was lost, duplicated or misdelivered.</summary>
    public async Task<FaultCounts> CheckAsync(string fault)
    {
        witness.Clear();
        await Wait.UntilAsync(
            witness,
            "select not exists (select from pg_stat_activity where datname = current_database() and state <> 'idle' and pid <> pg_backend_pid() and "
                + "backend_type = 'client backend')");
        var stored = new List<(Guid Crawl, int Writer, int Number)>();
        var storedIds = new List<long>();
        var counts = new FaultCounts { Fault = fault, Crawls = crawlCount };
        foreach (var (crawl, _) in followers)
        {
            (await new CrawlRunRepository(witness).CompleteAsync(crawl)).EnsureApplied();
        }

        foreach (var (crawl, followed) in followers)
        {
            var ofCrawl = await new CrawlEventRepository(witness).StreamAsync(crawl).ToListAsync();
            var payloads = ofCrawl.Select(crawlEvent => crawlEvent.Payload.ToElement())
                .Select(payload => (Crawl: crawl, Writer: payload.GetProperty("writer").GetInt32(), Number: payload.GetProperty("number").GetInt32())).ToList();
            var outOfOrder = payloads.GroupBy(one => one.Writer)
                .Sum(one => one.Zip(one.Skip(1)).Count(pair => pair.First.Number >= pair.Second.Number));
            counts = counts with { OutOfOrder = counts.OutOfOrder + outOfOrder };
            stored.AddRange(payloads);
            storedIds.AddRange(ofCrawl.Select(crawlEvent => crawlEvent.Id));
            counts = counts.AndFollowed([.. ofCrawl.Select(crawlEvent => crawlEvent.Id)], await followed.WaitAsync(Wait.Longest));
        }

        // This follower does not end by itself. The counts show the events that it missed.
        await followedAll.UntilCountAsync(storedIds.Count).ContinueWith(_ => { }, TaskScheduler.Default);
        await enough.CancelAsync();
        await Assert.ThatAsync(() => followingAll, Throws.InstanceOf<OperationCanceledException>());
        storedIds.Sort();
        counts = counts.AndFollowed(storedIds, followedAll.ToList());

        var distinct = stored.ToHashSet();
        var acknowledged = reported.Where(one => one.Value == ReportedOutcome.Stored).Select(one => one.Key).ToList();
        counts = counts with
        {
            Acknowledged = acknowledged.Count,
            Refused = reported.Count(one => one.Value == ReportedOutcome.NotStored),
            Failed = failed,
            Unknown = reported.Count(one => one.Value == ReportedOutcome.Unknown),
            Stored = stored.Count,
            Lost = acknowledged.Count(one => !distinct.Contains(one)),
            Duplicated = stored.Count - distinct.Count,
            Unexpected = reported.Count(
                one => one.Value == ReportedOutcome.NotStored && distinct.Contains(one.Key)) + distinct.Count(one => !reported.ContainsKey(one)),
        };
        counts.Check();
        await CheckPoolAsync();
        return counts;
    }

    /// <summary>Each connection of the pool can be opened: none has leaked, and no listener holds one.</summary>
    private async Task CheckPoolAsync()
    {
        var settings = new NpgsqlConnectionStringBuilder(dataSource.ConnectionString);
        var connections = new List<NpgsqlConnection>();
        using var limit = new CancellationTokenSource(Wait.Longest);
        try
        {
            while (connections.Count < settings.MaxPoolSize)
            {
                connections.Add(await dataSource.OpenConnectionAsync(limit.Token));
            }
        }
        finally
        {
            foreach (var connection in connections)
            {
                await connection.DisposeAsync();
            }
        }
    }

    private async Task AppendAsync(int writer, Random random, CancellationToken end)
    {
        for (var number = 0; !end.IsCancellationRequested;)
        {
            var count = random.Next(12) switch { 0 => 1_100, < 6 => 1, _ => random.Next(2, 30) };
            var batch = Enumerable.Range(number, count).Select(one => (Crawl: crawls[random.Next(crawls.Count)], Number: one)).ToList();
            number += count;
            using var cancellation = Cancellation(random);
            Note(writer, batch, random.Next(4) == 0
                ? await ReportAsync(
                    () => AppendInTransactionAsync(writer, batch, rollback: random.Next(2) == 0, random, cancellation.Token), inCallersTransaction: true)
                : await ReportAsync(() => AppendAsync(writer, batch, null, cancellation.Token)));
        }
    }

    private async Task<ReportedOutcome> AppendAsync(
        int writer, List<(Guid Crawl, int Number)> batch, NpgsqlTransaction? transaction, CancellationToken cancellationToken)
    {
        await events.AppendAsync([.. batch.Select(one => (one.Crawl, Event(writer, one.Number)))], transaction, cancellationToken);
        appended.Add(writer);
        return ReportedOutcome.Stored;
    }

    /// <summary>Appends as an application does, which does not verify its commit: the outcome of a lost COMMIT is unknown.</summary>
    private async Task<ReportedOutcome> AppendInTransactionAsync(
        int writer, List<(Guid Crawl, int Number)> batch, bool rollback, Random random, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await AppendAsync(writer, batch, transaction, cancellationToken);
        await DatabaseTest.RunSlowStatementAsync(transaction, random.Next(5), cancellationToken);
        if (rollback)
        {
            await transaction.RollbackAsync(cancellationToken);
            return ReportedOutcome.NotStored;
        }

        try
        {
            await transaction.CommitAsync(CancellationToken.None);
            return ReportedOutcome.Stored;
        }
        catch (NpgsqlException)
        {
            return ReportedOutcome.Unknown;
        }
    }

    private async Task WriteAsync(CrawlEventWriter eventWriter, int writer, Random random, CancellationToken end)
    {
        for (var number = 0; !end.IsCancellationRequested; number++)
        {
            var (crawl, crawlEvent) = (crawls[random.Next(crawls.Count)], Event(writer, number));
            using var cancellation = Cancellation(random);
            var outcome = await ReportAsync(async () =>
            {
                // A flush may report another outcome later.
                reported[(crawl, writer, number)] = ReportedOutcome.Stored;
                if (random.Next(3) == 0)
                {
                    await eventWriter.AppendAsync(crawl, crawlEvent, cancellation.Token);
                }
                else
                {
                    await eventWriter.WriteAsync(crawl, crawlEvent, cancellation.Token);
                }

                return ReportedOutcome.Stored;
            });
            if (outcome != ReportedOutcome.Stored)
            {
                reported[(crawl, writer, number)] = outcome;
            }

            if (outcome == ReportedOutcome.NotStored || random.Next(50) == 0)
            {
                try
                {
                    await eventWriter.FlushAsync(CancellationToken.None);
                }
                catch (CrawlEventsNotStoredException)
                {
                    Note(eventWriter);
                }
            }
        }
    }

    private async Task<ReportedOutcome> ReportAsync(Func<Task<ReportedOutcome>> call, bool inCallersTransaction = false)
    {
        try
        {
            return await call();
        }
        catch (Exception exception) when (exception is NpgsqlException or OperationCanceledException or CrawlEventsNotStoredException)
        {
            if (exception is not OperationCanceledException && !inCallersTransaction)
            {
                TestContext.Out.WriteLine(exception);
                Interlocked.Increment(ref failed);
            }

            return ReportedOutcome.NotStored;
        }
        catch (AppendOutcomeUnknownException)
        {
            return ReportedOutcome.Unknown;
        }
    }

    private void Note(int writer, List<(Guid Crawl, int Number)> batch, ReportedOutcome outcome) =>
        batch.ForEach(one => reported[(one.Crawl, writer, one.Number)] = outcome);

    private void Note(CrawlEventWriter writer)
    {
        foreach (var unstored in writer.TakeUnstored())
        {
            TestContext.Out.WriteLine(unstored.Error);
            Interlocked.Increment(ref failed);
            var payload = unstored.Event.Payload.ToElement();
            reported[(unstored.CrawlId, payload.GetProperty("writer").GetInt32(), payload.GetProperty("number").GetInt32())] =
                unstored.Error is AppendOutcomeUnknownException ? ReportedOutcome.Unknown : ReportedOutcome.NotStored;
        }
    }

    private CancellationTokenSource Cancellation(Random random)
    {
        var cancellation = new CancellationTokenSource();
        if (Cancels && random.Next(2) == 0)
        {
            cancellation.CancelAfter(TimeSpan.FromMicroseconds(random.Next(1, 20_000)));
        }

        return cancellation;
    }

    private static NewCrawlEvent Event(int writer, int number) => new() { EventType = "step", Payload = Jsonb.From(new { writer, number }) };
}
