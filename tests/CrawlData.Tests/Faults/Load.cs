using System.Collections.Concurrent;
using CrawlData.Crawls;
using Npgsql;

namespace CrawlData.Tests.Faults;

/// <summary>Sixteen writers: some append by themselves, in batches of all sizes and in transactions of their own, the others through one <see
/// cref="CrawlEventWriter"/>. What each was told of each event is compared with what is stored.</summary>
internal sealed class Load(NpgsqlDataSource dataSource, NpgsqlDataSource witness, int crawlCount)
{
    private const int WriterCount = 16;

    private readonly CrawlEventRepository events = new(dataSource, new RetryOptions { Limit = TimeSpan.FromSeconds(20) });
    private readonly ConcurrentDictionary<(Guid Crawl, int Writer, int Number), Told> told = [];
    private readonly List<Guid> crawls = [];

    private enum Told
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
        for (var crawl = 0; crawl < crawlCount; crawl++)
        {
            crawls.Add((await runs.CreateAsync(new NewCrawlRun { AppPackage = "org.example.app", Status = CrawlStatus.Running })).Id);
        }
    }

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
        catch (CrawlEventsNotStoredException exception)
        {
            Note(exception);
        }
    }

    /// <summary>Prints the counts, and asserts that they are zero where they have to be.</summary>
    public async Task CheckAsync()
    {
        witness.Clear();
        await Wait.UntilAsync(
            witness,
            "select not exists (select from pg_stat_activity where datname = current_database() and state <> 'idle' and pid <> pg_backend_pid() and backend_type = 'client backend')",
            TimeSpan.FromSeconds(10));
        var stored = new List<(Guid Crawl, int Writer, int Number)>();
        var outOfOrder = 0;
        foreach (var crawl in crawls)
        {
            var ofCrawl = (await new CrawlEventRepository(witness).ListAsync(crawl)).Select(crawlEvent => crawlEvent.Payload.ToElement())
                .Select(payload => (Crawl: crawl, Writer: payload.GetProperty("writer").GetInt32(), Number: payload.GetProperty("number").GetInt32())).ToList();
            outOfOrder += ofCrawl.GroupBy(one => one.Writer).Sum(one => one.Zip(one.Skip(1)).Count(pair => pair.First.Number >= pair.Second.Number));
            stored.AddRange(ofCrawl);
        }

        var distinct = stored.ToHashSet();
        var acknowledged = told.Where(one => one.Value == Told.Stored).Select(one => one.Key).ToList();
        var lost = acknowledged.Count(one => !distinct.Contains(one));
        var unexpected = told.Count(one => one.Value == Told.NotStored && distinct.Contains(one.Key)) + distinct.Count(one => !told.ContainsKey(one));
        TestContext.Out.WriteLine(
            $"{TestContext.CurrentContext.Test.Name}: acknowledged {acknowledged.Count}, stored {stored.Count}, lost {lost}, duplicated {stored.Count - distinct.Count}, "
            + $"out of order {outOfOrder}, stored though refused {unexpected}; refused {told.Count(one => one.Value == Told.NotStored)}, "
            + $"unknown {told.Count(one => one.Value == Told.Unknown)}");
        Assert.That((lost, stored.Count - distinct.Count, outOfOrder, unexpected), Is.EqualTo((0, 0, 0, 0)));
        Assert.That(acknowledged, Has.Count.GreaterThan(200));
    }

    private async Task AppendAsync(int writer, Random random, CancellationToken end)
    {
        for (var number = 0; !end.IsCancellationRequested;)
        {
            var count = random.Next(12) switch { 0 => 1_100, < 6 => 1, _ => random.Next(2, 30) };
            var batch = Enumerable.Range(number, count).Select(one => (Crawl: crawls[random.Next(crawls.Count)], Number: one)).ToList();
            number += count;
            using var cancellation = Cancellation(random);
            Note(writer, batch, await TellAsync(() => random.Next(4) == 0
                ? AppendInTransactionAsync(writer, batch, rollback: random.Next(2) == 0, random, cancellation.Token)
                : AppendAsync(writer, batch, null, cancellation.Token)));
        }
    }

    private async Task<Told> AppendAsync(
        int writer, List<(Guid Crawl, int Number)> batch, NpgsqlTransaction? transaction, CancellationToken cancellationToken)
    {
        await events.AppendAsync([.. batch.Select(one => (one.Crawl, Event(writer, one.Number)))], transaction, cancellationToken);
        return Told.Stored;
    }

    /// <summary>As an application would, which settles nothing: what becomes of its COMMIT when it is cut off is not known.</summary>
    private async Task<Told> AppendInTransactionAsync(
        int writer, List<(Guid Crawl, int Number)> batch, bool rollback, Random random, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await AppendAsync(writer, batch, transaction, cancellationToken);
        await Task.Delay(random.Next(5), cancellationToken);
        if (rollback)
        {
            await transaction.RollbackAsync(cancellationToken);
            return Told.NotStored;
        }

        try
        {
            await transaction.CommitAsync(CancellationToken.None);
            return Told.Stored;
        }
        catch (NpgsqlException)
        {
            return Told.Unknown;
        }
    }

    private async Task WriteAsync(CrawlEventWriter eventWriter, int writer, Random random, CancellationToken end)
    {
        for (var number = 0; !end.IsCancellationRequested; number++)
        {
            var (crawl, crawlEvent) = (crawls[random.Next(crawls.Count)], Event(writer, number));
            using var cancellation = Cancellation(random);
            var outcome = await TellAsync(async () =>
            {
                // Before it is told otherwise by a flush.
                told[(crawl, writer, number)] = Told.Stored;
                if (random.Next(3) == 0)
                {
                    await eventWriter.AppendAsync(crawl, crawlEvent, cancellation.Token);
                }
                else
                {
                    await eventWriter.WriteAsync(crawl, crawlEvent, cancellation.Token);
                }

                return Told.Stored;
            });
            if (outcome != Told.Stored)
            {
                told[(crawl, writer, number)] = outcome;
            }

            if (outcome == Told.NotStored || random.Next(50) == 0)
            {
                try
                {
                    await eventWriter.FlushAsync(CancellationToken.None);
                }
                catch (CrawlEventsNotStoredException exception)
                {
                    Note(exception);
                }
            }
        }
    }

    private static async Task<Told> TellAsync(Func<Task<Told>> call)
    {
        try
        {
            return await call();
        }
        catch (Exception exception) when (exception is NpgsqlException or OperationCanceledException or CrawlEventsNotStoredException)
        {
            return Told.NotStored;
        }
        catch (AppendOutcomeUnknownException)
        {
            return Told.Unknown;
        }
    }

    private void Note(int writer, List<(Guid Crawl, int Number)> batch, Told outcome) => batch.ForEach(one => told[(one.Crawl, writer, one.Number)] = outcome);

    private void Note(CrawlEventsNotStoredException exception)
    {
        foreach (var unstored in exception.Events)
        {
            var payload = unstored.Event.Payload.ToElement();
            told[(unstored.CrawlId, payload.GetProperty("writer").GetInt32(), payload.GetProperty("number").GetInt32())] =
                unstored.Error is AppendOutcomeUnknownException ? Told.Unknown : Told.NotStored;
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
