using CrawlData.Crawls;
using CrawlData.Tests.Servers;
using Npgsql;

namespace CrawlData.Tests.Faults.Checker;

/// <summary>One history: clients work under faults for some seconds, and all of it ends. Its tables are empty before.</summary>
/// <param name="server">The server.</param>
/// <param name="connectionString">Of the server and the database.</param>
/// <param name="witness">Reaches the server without the proxy.</param>
/// <param name="counter">Counts faults.</param>
/// <param name="seed">The seed of all choices.</param>
/// <param name="servers">The server and its synchronous standby, which is promoted in the end; null for one server.</param>
/// <param name="witnessProxy">Leads the witness to the server, and to the promoted standby; null for one server.</param>
internal sealed class Round(
    RestartableServer server,
    string connectionString,
    NpgsqlDataSource witness,
    FaultCounter counter,
    int seed,
    ReplicatedServers? servers = null,
    FaultProxy? witnessProxy = null)
{
    private const int Crawls = 8;
    private const int AppendClients = 5;
    private const int SharingClients = 3;
    private const int Owners = 2;
    private const int PrepareClients = 3;
    private const int SessionClients = 3;
    private const int LastClient = 99;
    private const string OfClients = $"application_name = '{Workload.Name}'";
    private const string WaitsForClient = "state = 'active' and wait_event_type = 'Client'";

    // A writer fails after this time. So an outage leaves it with unstored events.
    private static readonly RetryOptions Impatient = new() { Limit = TimeSpan.FromMilliseconds(100) };

    private readonly History history = new();
    private int clients;

    /// <summary>Runs the history.</summary>
    /// <param name="duration">How long faults are injected.</param>
    /// <returns>The history, and what is stored at its end.</returns>
    public async Task<(History History, StoredState State)> RunAsync(TimeSpan duration)
    {
        await ExecuteAsync("truncate crawl_runs, audit_sessions cascade");
        var runs = new CrawlRunRepository(witness);
        var running = new NewCrawlRun { AppPackage = "org.example.app", Status = CrawlStatus.Running };
        var crawls = (await runs.InsertAsync(Enumerable.Repeat(running, Crawls + PrepareClients))).Select(run => run.Id).ToList();
        await using var proxy = new FaultProxy(connectionString);
        await using var workload = new Workload(history, counter, proxy, connectionString, witness, seed) { Crawls = [.. crawls.Take(Crawls)] };

        List<FollowClient> followers =
        [
            .. crawls.Select(crawl => Follower(workload, crawl)),
            Follower(workload, crawls[0], ambient: true),
            Follower(workload, null),
            Follower(workload, null),
            Follower(workload, null, ambient: true),
            Follower(workload, null, lists: true, ambient: true),
        ];
        var following = followers.Select(follower => Task.Run(() => follower.RunAsync())).ToList();
        var writers = Enumerable.Range(0, 1 + Owners).Select(_ => Writer(workload)).ToList();
        using (var faults = new CancellationTokenSource(duration))
        using (var ended = new CancellationTokenSource())
        {
            // Prepared transactions hold the readers of all crawls back, so one of two histories has none.
            var prepared = crawls.Skip(Crawls).Take(seed % 2 == 0 ? PrepareClients : 0).ToList();
            var working = MakeClients(workload, writers, prepared).Select(client => Task.Run(() => client.RunAsync(ended.Token))).ToList();
            var injector = servers is null
                ? new FaultInjector(server, proxy, witness, workload.Crawls, counter, seed)
                : new StandbyFaultInjector(servers, witnessProxy!, proxy, witness, workload.Crawls, counter, seed);
            await injector.RunAsync(faults.Token);
            await ended.CancelAsync();
            await EndLostCopiesUntilAsync(Task.WhenAll(working));
        }

        for (var number = 0; number < writers.Count; number++)
        {
            await DisposeAsync(writers[number], number);
        }

        await EndSessionsAsync();
        await AppendLastAsync(crawls[0], followers);
        foreach (var crawl in crawls)
        {
            (await runs.CompleteAsync(crawl)).EnsureApplied();
        }

        await Task.WhenAll(following);
        followers.ForEach(follower => follower.Dispose());
        return (history, await StoredState.ReadAsync(witness, isPromoted: servers is not null));
    }

    private FollowClient Follower(Workload workload, Guid? crawl, bool lists = false, bool ambient = false) =>
        new(workload, clients++, crawl, lists, ambient);

    private static CrawlEventWriter Writer(Workload workload) => new(
        new CrawlEventRepository(workload.DataSource, retry: Impatient, notify: true, logger: workload.Logger<CrawlEventRepository>(0)),
        new CrawlEventWriterOptions { RetryLimit = Impatient.Limit, BatchSize = 200, Capacity = 300, Linger = TimeSpan.FromMilliseconds(5) },
        workload.Logger<CrawlEventWriter>(0));

    private List<Client> MakeClients(Workload workload, List<CrawlEventWriter> writers, IReadOnlyList<Guid> prepared) =>
    [
        .. Enumerable.Range(0, AppendClients).Select(_ => new AppendClient(workload, clients++)),
        .. Enumerable.Range(0, SharingClients).Select(_ => new WriterClient(workload, clients++, writers[0], 0, workload.Crawls.Take(4).ToList())),
        .. Enumerable.Range(1, Owners).Select(
            owner => new OwnerClient(workload, clients++, writers[owner], owner, workload.Crawls.Skip(2 + (2 * owner)).Take(2).ToList())),
        .. servers is null ? MakeOtherClients(workload, writers, prepared) : [],
    ];

    /// <summary>Makes the clients whose calls promise nothing about a standby.</summary>
    private List<Client> MakeOtherClients(Workload workload, List<CrawlEventWriter> writers, IReadOnlyList<Guid> prepared) =>
    [
        .. prepared.Select(crawl => new PrepareClient(workload, clients++, crawl)),
        new AmbientClient(workload, clients++, writers[0], 0),
        new RunClient(workload, clients++),
        .. Enumerable.Range(0, SessionClients).Select(_ => new SessionClient(workload, clients++)),
        new SweepClient(workload, clients++),
        new SweepClient(workload, clients++),
        new PurgeClient(workload, clients++),
        new LateClient(workload, clients++),
    ];

    private async Task DisposeAsync(CrawlEventWriter writer, int number)
    {
        await history.RunAsync(new FlushOperation(LastClient, number, disposes: true), () => writer.DisposeAsync().AsTask());
        var take = new TakeOperation(LastClient, number);
        await history.RunAsync(take, () =>
        {
            take.Taken = [.. writer.TakeUnstored().Select(one => (one.CrawlId, Client.KeyOf(one.Event.Payload), one.Error))];
            return Task.CompletedTask;
        });
    }

    /// <summary>Ends the sessions whose COPY waits for a lost client, until a task ends. The server has no limit for them, and they hold locks. Elsewhere TCP's
    /// keepalive ends them.</summary>
    private async Task EndLostCopiesUntilAsync(Task task)
    {
        while (await Task.WhenAny(task, Task.Delay(500)) != task)
        {
            await ExecuteAsync(
                $"select pg_terminate_backend(pid) from pg_stat_activity where {OfClients} and {WaitsForClient} and query_start < now() - interval '3 s'");
        }

        await task;
    }

    /// <summary>Ends the sessions that lost connections left on the server. Nobody waits for them any more.</summary>
    private async Task EndSessionsAsync()
    {
        witness.Clear();
        await Wait.UntilAsync(EndThoseThatWaitAsync, "the clients' sessions end", History.LongestCall);
    }

    /// <summary>Ends the sessions that wait for their clients. Others may wait for their locks.</summary>
    /// <returns>Whether all sessions are idle.</returns>
    private async Task<bool> EndThoseThatWaitAsync()
    {
        await ExecuteAsync(
            $"select pg_terminate_backend(pid) from pg_stat_activity where {OfClients} and (state like 'idle in transaction%' or {WaitsForClient})");
        await using var busy = witness.CreateCommand($"select exists (select from pg_stat_activity where {OfClients} and state <> 'idle')");
        return history.HasHung || !(bool)(await busy.ExecuteScalarAsync())!;
    }

    /// <summary>Appends the last event. The followers of all crawls end with it. They may have got events that were lost with the primary, so its id must be
    /// above theirs.</summary>
    private async Task AppendLastAsync(Guid crawl, List<FollowClient> followers)
    {
        var seen = followers.Max(follower => follower.LastId);
        long id = 0;
        for (var number = 1; id <= seen; number++)
        {
            var key = new EventKey(LastClient, number);
            var append = new AppendOperation(LastClient, "append the last event", [(crawl, key)]) { MustSucceed = true };
            var last = new NewCrawlEvent { EventType = "last", Payload = Jsonb.From(new { client = key.Client, number = key.Number }) };
            await history.RunAsync(append, async () => append.Ids = [await new CrawlEventRepository(witness).AppendAsync(crawl, last)]);
            Assert.That(append.Error, Is.Null);
            id = append.Ids![0];
        }

        followers.ForEach(follower => follower.EndAt(id));
    }

    private async Task ExecuteAsync(string sql)
    {
        await using var command = witness.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }
}
