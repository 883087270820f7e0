using System.Diagnostics;
using CrawlData.Citus.Tests.Clusters;
using CrawlData.Crawls;
using CrawlData.Tests;
using CrawlData.Tests.Faults;
using Npgsql;

namespace CrawlData.Citus.Tests.Faults;

/// <summary>Appends events again and again, each time with one fault, and counts the events that were lost, duplicated or passed over.</summary>
/// <param name="cluster">The cluster.</param>
/// <param name="layout">How its tables are placed.</param>
/// <param name="fault">The fault.</param>
/// <param name="way">How the events are appended.</param>
internal sealed class FaultRounds(FaultyCluster cluster, CitusLayout layout, ClusterFault fault, AppendWay way)
{
    private readonly CrawlEventRepository witness = new(cluster.Database.DataSource, retry: new RetryOptions { Limit = Wait.Longest });
    private TaskCompletionSource? armed;
    private CrawlEventRepository events = null!;

    private enum Outcome
    {
        Stored,
        NotStored,
        Unknown,
    }

    /// <summary>The number of rounds in which the fault occurred. Not every append sends every message.</summary>
    public int Hits { get; private set; }

    public async Task<FaultCounts> RunAsync(int rounds)
    {
        cluster.OnSentToWorkers((worker, piece) => OnSent(piece, worker));
        cluster.Coordinator.OnSent = (_, piece) => OnSent(piece, null);
        var counts = new FaultCounts { Fault = $"{fault}, {way}", Crawls = way is AppendWay.TwoCrawls or AppendWay.Writer ? 2 : 1 };
        var writer = CreateWriter();
        for (var round = 0; round < rounds; round++)
        {
            counts = await RunRoundAsync(counts, writer);
        }

        await writer.DisposeAsync();
        return counts;
    }

    private CrawlEventWriter CreateWriter() => new(events = new CrawlEventRepository(cluster.Client, retry: new RetryOptions { Limit = Wait.Longest }));

    private async Task<FaultCounts> RunRoundAsync(FaultCounts counts, CrawlEventWriter writer)
    {
        // The last crawl's events are appended after the fault.
        var crawls = await CreateCrawlsAsync();
        var cursor = await witness.GetNewestCursorAsync();
        var hit = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        armed = hit;
        var appending = Task.Run(() => ReportAsync(crawls, writer));
        await Task.WhenAny(hit.Task, appending);
        if (Interlocked.Exchange(ref armed, null) is null)
        {
            // The append may end while its node is still being killed.
            await hit.Task;
        }

        using var enough = new CancellationTokenSource();
        var followed = new ReceivedItems<long>();
        var following = Task.CompletedTask;
        if (hit.Task.IsCompletedSuccessfully)
        {
            Hits++;
            following = Task.Run(() => FollowAsync(cursor, crawls, followed, enough.Token));
            await AppendOthersAsync(crawls[2]);
        }

        var (outcome, written) = await appending.WaitAsync(3 * Wait.Longest);
        await cluster.UntilSettledAsync();
        cluster.Database.DataSource.Clear();
        var stored = await ReadAsync(crawls[..2]);
        if (hit.Task.IsCompletedSuccessfully)
        {
            var all = stored.Select(one => one.Id).Concat((await ReadAsync(crawls[2..])).Select(one => one.Id)).Order().ToList();
            await Task.WhenAny(followed.UntilCountAsync(all.Count), following);
            await enough.CancelAsync();
            await following;
            counts = counts.AndFollowed(all, followed.ToList());
        }

        var distinct = stored.Select(one => one.Number).ToHashSet();
        return counts with
        {
            Acknowledged = counts.Acknowledged + (outcome == Outcome.Stored ? written : 0),
            Refused = counts.Refused + (outcome == Outcome.NotStored ? written : 0),
            Unknown = counts.Unknown + (outcome == Outcome.Unknown ? written : 0),
            Stored = counts.Stored + stored.Count,
            Lost = counts.Lost + (outcome == Outcome.Stored ? written - distinct.Count : 0),
            Duplicated = counts.Duplicated + stored.Count - distinct.Count,
            OutOfOrder = counts.OutOfOrder + crawls.Sum(crawl => Disorder(stored.Where(one => one.Crawl == crawl).Select(one => one.Number))),
            Unexpected = counts.Unexpected + (outcome == Outcome.NotStored || (outcome == Outcome.Unknown && distinct.Count != written) ? stored.Count : 0),
        };
    }

    private static int Disorder(IEnumerable<int> numbers) => numbers.ToList() is var list ? list.Zip(list.Skip(1)).Count(pair => pair.First >= pair.Second) : 0;

    private Fault OnSent(byte[] piece, CitusNode? worker)
    {
        var (isCommit, isPrepare) = (FaultProxy.IsCommit(piece), piece.AsSpan().IndexOf("PREPARE TRANSACTION"u8) >= 0);
        var isCommitPrepared = piece.AsSpan().IndexOf("COMMIT PREPARED"u8) >= 0;
        var isHit = fault switch
        {
            ClusterFault.ClientIsCutDuringCommit or ClusterFault.ClientIsCutAfterCommit => worker is null && isCommit,
            ClusterFault.CommitIsLost or ClusterFault.AnswerToCommitIsLost => worker is not null && isCommit,
            ClusterFault.PrepareIsLost or ClusterFault.AnswerToPrepareIsLost => isPrepare,
            ClusterFault.StatementIsLost or ClusterFault.AnswerToStatementIsLost or ClusterFault.WorkerIsKilledBeforeCommit =>
                worker is not null && IsAppend(piece),
            ClusterFault.CoordinatorIsKilled or ClusterFault.CoordinatorIsKilledBeforeCommit => worker is not null && (isCommit || isCommitPrepared),
            _ => isCommitPrepared,
        };
        if (!isHit || Interlocked.Exchange(ref armed, null) is not { } hit)
        {
            return Fault.None;
        }

        if (fault is ClusterFault.WorkerIsKilled or ClusterFault.WorkerIsKilledBeforeCommit)
        {
            Crash(worker!);
        }

        if (fault is ClusterFault.CoordinatorIsKilled or ClusterFault.CoordinatorIsKilledBeforeCommit)
        {
            Crash(cluster.Cluster.Coordinator);
        }

        hit.SetResult();
        return fault switch
        {
            ClusterFault.CoordinatorIsKilled => Fault.None,
            ClusterFault.ClientIsCutDuringCommit => Fault.CutDuring,
            ClusterFault.ClientIsCutAfterCommit or ClusterFault.AnswerToStatementIsLost or ClusterFault.AnswerToCommitIsLost
                or ClusterFault.AnswerToPrepareIsLost => Fault.CutAfter,
            _ => Fault.CutBefore,
        };
    }

    private static bool IsAppend(byte[] piece) =>
        (piece.AsSpan().IndexOf("INSERT INTO"u8) >= 0 || piece.AsSpan().IndexOf("COPY "u8) >= 0) && piece.AsSpan().IndexOf("crawl_events"u8) >= 0;

    /// <summary>Kills a backend. A server that loses one restarts.</summary>
    private void Crash(CitusNode node)
    {
        var pids = cluster.QueryAsync<int>(
            node,
            """
            select pid from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
            """).GetAwaiter().GetResult();
        using var kill = Process.Start("kill", ["-9", $"{pids[0]}"]);
        kill.WaitForExit();
        Assert.That(kill.ExitCode, Is.Zero, "the tests may kill the server's processes");
    }

    private async Task<(Outcome Outcome, int Events)> ReportAsync(List<Guid> crawls, CrawlEventWriter writer)
    {
        var batch = Enumerable.Range(0, way switch { AppendWay.One => 1, AppendWay.Copy or AppendWay.Transaction => 1_100, _ => 20 }).Select(number => (
            way is AppendWay.TwoCrawls or AppendWay.Writer ? crawls[number % 2] : crawls[0],
            new NewCrawlEvent { EventType = "step", Payload = Jsonb.From(new { number }) })).ToList();
        var isCommitting = false;
        try
        {
            if (way == AppendWay.Writer)
            {
                foreach (var (crawl, crawlEvent) in batch)
                {
                    await writer.WriteAsync(crawl, crawlEvent);
                }

                await writer.FlushAsync();
            }
            else if (way == AppendWay.Transaction)
            {
                // A crash of the round before has cut the pool's connections, and nothing is retried here.
                cluster.Client.Clear();
                await using var connection = await cluster.Client.OpenConnectionAsync();
                await using var transaction = await connection.BeginTransactionAsync();
                await events.AppendAsync(batch, transaction);
                isCommitting = true;
                await transaction.CommitAsync();
            }
            else if (way == AppendWay.One)
            {
                await events.AppendAsync(crawls[0], batch[0].Item2);
            }
            else
            {
                await events.AppendAsync(batch);
            }

            return (Outcome.Stored, batch.Count);
        }
        catch (Exception exception) when (
            exception is AppendOutcomeUnknownException or CrawlEventsNotStoredException { InnerException: AppendOutcomeUnknownException })
        {
            TestContext.Out.WriteLine(exception);
            return (Outcome.Unknown, batch.Count);
        }
        catch (Exception exception) when (exception is NpgsqlException or CrawlEventsNotStoredException)
        {
            TestContext.Out.WriteLine(exception);
            return (isCommitting ? Outcome.Unknown : Outcome.NotStored, batch.Count);
        }
    }

    /// <summary>Appends events with greater ids, which a follower could get before those that the fault concerns.</summary>
    private async Task AppendOthersAsync(Guid crawl)
    {
        for (var number = 0; number < 3; number++)
        {
            await witness.AppendAsync(crawl, new NewCrawlEvent { EventType = "step", Payload = Jsonb.From(new { number }) });
        }
    }

    private async Task FollowAsync(string? cursor, List<Guid> crawls, ReceivedItems<long> followed, CancellationToken enough)
    {
        try
        {
            await foreach (var batch in witness.FollowAllAsync(cursor, cancellationToken: enough))
            {
                followed.Add(batch.Events.Where(one => crawls.Contains(one.CrawlId)).Select(one => one.Id));
            }
        }
        catch (OperationCanceledException) when (enough.IsCancellationRequested)
        {
            // It has followed for long enough.
        }
        catch (NpgsqlException exception)
        {
            // It has missed the others, and the counts say how many.
            TestContext.Out.WriteLine(exception);
        }
    }

    /// <summary>Creates three crawls. Where crawls are distributed, the first two are on different nodes.</summary>
    private async Task<List<Guid>> CreateCrawlsAsync()
    {
        var runs = new CrawlRunRepository(cluster.Database.DataSource);
        var crawls = (await runs.InsertAsync(Enumerable.Repeat(new NewCrawlRun { AppPackage = "org.example.app" }, 3))).Select(run => run.Id).ToList();
        while (layout == CitusLayout.DistributedCrawls && await cluster.NodeOfAsync(crawls[0]) == await cluster.NodeOfAsync(crawls[1]))
        {
            crawls[1] = (await runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" })).Id;
        }

        return crawls;
    }

    private async Task<List<(Guid Crawl, long Id, int Number)>> ReadAsync(IEnumerable<Guid> crawls)
    {
        var stored = new List<(Guid, long, int)>();
        foreach (var crawl in crawls)
        {
            stored.AddRange((await witness.StreamAsync(crawl).ToListAsync()).Select(
                one => (crawl, one.Id, one.Payload.ToElement().GetProperty("number").GetInt32())));
        }

        return stored;
    }
}
