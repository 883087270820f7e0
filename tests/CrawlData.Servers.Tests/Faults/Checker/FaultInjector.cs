using CrawlData.Tests.Servers;
using Npgsql;

namespace CrawlData.Tests.Faults.Checker;

/// <summary>Injects faults at random moments, one at a time. Connections are cut at random pieces all the while.</summary>
internal class FaultInjector(
    RestartableServer server, FaultProxy proxy, NpgsqlDataSource witness, IReadOnlyList<Guid> crawls, FaultCounter counter, int seed)
{
    private const int Kinds = 10;

    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(150);

    // A lost connection leaves its session on the server. The server has a limit of sessions.
    private const int MostFreezes = 2;

    private readonly Random random = new(seed);
    private int freezes;

    protected FaultProxy Proxy => proxy;

    protected NpgsqlDataSource Witness => witness;

    protected FaultCounter Counter => counter;

    /// <summary>How many kinds of faults a subclass adds.</summary>
    protected virtual int MoreKinds => 0;

    public async Task RunAsync(CancellationToken ended)
    {
        proxy.OnSent = ChooseCut;
        while (!ended.IsCancellationRequested)
        {
            await PauseAsync(LongestPause, ended);
            switch (Next(Kinds + MoreKinds))
            {
                case var kind and >= Kinds:
                    await InjectAsync(kind - Kinds, ended);
                    break;
                case 0 when freezes++ < MostFreezes:
                    Freeze();
                    break;
                case 1 or 2:
                    counter.Add("refused connections");
                    proxy.Down = true;
                    await PauseAsync(TimeSpan.FromMilliseconds(400), ended);
                    proxy.Down = false;
                    break;
                case 3 or 4:
                    counter.Add("outage");
                    proxy.Down = true;
                    proxy.OnSent = (_, _) => Fault.CutBefore;
                    await PauseAsync(TimeSpan.FromMilliseconds(600), ended);
                    (proxy.OnSent, proxy.Down) = (ChooseCut, false);
                    break;
                case 5 or 6:
                    await RestartAsync();
                    break;
                default:
                    await HoldLockAsync(ended);
                    break;
            }
        }

        proxy.OnSent = (_, _) => Fault.None;
        proxy.Down = false;
        await EndAsync();
    }

    /// <summary>Injects a fault of a kind that a subclass adds.</summary>
    protected virtual Task InjectAsync(int kind, CancellationToken ended) => Task.CompletedTask;

    /// <summary>Runs after the last fault, while the clients still work.</summary>
    protected virtual Task EndAsync() => Task.CompletedTask;

    /// <summary>Restarts the server once, or lets it crash several times.</summary>
    protected async Task RestartAsync()
    {
        var mode = Next(2) == 0 ? "immediate" : "fast";
        for (var count = mode == "immediate" ? 1 + Next(3) : 1; count > 0; count--)
        {
            counter.Add($"restart {mode}");
            await server.RestartAsync(mode);
            server.DataSource.Clear();
            witness.Clear();
        }
    }

    /// <summary>Freezes the open connections, or one direction of them.</summary>
    private void Freeze()
    {
        var direction = Next(4);
        counter.Add(direction switch { 0 => "freeze to the server", 1 => "freeze to the client", _ => "freeze" });
        proxy.FreezeOpenConnections(toServer: direction != 1, toClient: direction != 0);
    }

    private Fault ChooseCut(int number, byte[] piece)
    {
        if (Next(FaultProxy.IsCommit(piece) ? 15 : 150) != 0)
        {
            return Fault.None;
        }

        var fault = (Fault)(1 + Next(5));
        counter.Add($"{fault}");
        return fault;
    }

    /// <summary>Holds the row lock of a crawl in a transaction of the application.</summary>
    private async Task HoldLockAsync(CancellationToken ended)
    {
        try
        {
            await using var connection = await witness.OpenConnectionAsync(CancellationToken.None);
            await using var transaction = await connection.BeginTransactionAsync(CancellationToken.None);
            await using var hold = new NpgsqlCommand("select from crawl_runs where id = $1 for no key update", connection, transaction)
            {
                Parameters = { new() { Value = crawls[Next(crawls.Count)] } },
            };
            await hold.ExecuteNonQueryAsync(CancellationToken.None);
            counter.Add("row lock");
            await PauseAsync(TimeSpan.FromMilliseconds(700), ended);
        }
        catch (NpgsqlException)
        {
            // A client of this test holds the lock for too long.
        }
    }

    protected int Next(int below)
    {
        lock (random)
        {
            return random.Next(below);
        }
    }

    /// <summary>Lets the clients work for a random time.</summary>
    protected async Task PauseAsync(TimeSpan longest, CancellationToken ended)
    {
        using var pause = CancellationTokenSource.CreateLinkedTokenSource(ended);
        pause.CancelAfter(longest * (Next(1_000) / 1_000.0));
        await Wait.UntilCancelledAsync(pause.Token);
    }
}
