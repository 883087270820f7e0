using CrawlData.Tests.Servers;
using Npgsql;

namespace CrawlData.Tests.Faults.Checker;

/// <summary>Injects faults at random moments, one at a time. Connections are cut at random pieces all the while.</summary>
internal sealed class FaultInjector(
    RestartableServer server, FaultProxy proxy, NpgsqlDataSource witness, IReadOnlyList<Guid> crawls, FaultCounter counter, int seed)
{
    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(150);

    // A lost connection leaves its session on the server. The server has a limit of sessions.
    private const int MostFreezes = 2;

    private readonly Random random = new(seed);
    private int freezes;

    public async Task RunAsync(CancellationToken ended)
    {
        proxy.OnSent = ChooseCut;
        while (!ended.IsCancellationRequested)
        {
            await PauseAsync(LongestPause, ended);
            switch (Next(10))
            {
                case 0 when freezes++ < MostFreezes:
                    counter.Add("freeze");
                    proxy.FreezeOpenConnections();
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
                case 5:
                    var mode = Next(2) == 0 ? "immediate" : "fast";
                    counter.Add($"restart {mode}");
                    await server.RestartAsync(mode);
                    witness.Clear();
                    break;
                default:
                    await HoldLockAsync(ended);
                    break;
            }
        }

        proxy.OnSent = (_, _) => Fault.None;
        proxy.Down = false;
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

    private int Next(int below)
    {
        lock (random)
        {
            return random.Next(below);
        }
    }

    /// <summary>Lets the clients work for a random time.</summary>
    private async Task PauseAsync(TimeSpan longest, CancellationToken ended)
    {
        using var pause = CancellationTokenSource.CreateLinkedTokenSource(ended);
        pause.CancelAfter(longest * (Next(1_000) / 1_000.0));
        await Wait.UntilCancelledAsync(pause.Token);
    }
}
