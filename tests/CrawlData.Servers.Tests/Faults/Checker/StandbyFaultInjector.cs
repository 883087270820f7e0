using CrawlData.Tests.Servers;
using Npgsql;

namespace CrawlData.Tests.Faults.Checker;

/// <summary>Injects faults into a primary and its synchronous standby. In the end the primary is lost, and the standby is promoted.</summary>
internal sealed class StandbyFaultInjector(
    ReplicatedServers servers,
    FaultProxy witnessProxy,
    FaultProxy proxy,
    NpgsqlDataSource witness,
    IReadOnlyList<Guid> crawls,
    FaultCounter counter,
    int seed)
    : FaultInjector(servers.Primary, proxy, witness, crawls, counter, seed)
{
    private const string Waiting = "select exists (select from pg_stat_activity where wait_event = 'SyncRep')";

    private static readonly TimeSpan LongestDetachment = TimeSpan.FromMilliseconds(400);

    // How long clients work on the promoted standby.
    private static readonly TimeSpan LongestEnd = TimeSpan.FromSeconds(1);

    protected override int MoreKinds => 6;

    protected override async Task InjectAsync(int kind, CancellationToken ended)
    {
        switch (kind)
        {
            case 0 or 1:
                Counter.Add("detached standby");
                await DetachAsync();
                await PauseAsync(LongestDetachment, ended);
                await servers.AttachAsync();
                break;
            case 2 or 3:
                // What the primary committed meanwhile is visible there, and the standby does not have it.
                Counter.Add("restart without a standby");
                await DetachAsync();
                await PauseAsync(LongestDetachment, ended);
                await RestartAsync();
                await PauseAsync(LongestDetachment, ended);
                await servers.AttachAsync();
                break;
            case 4:
                Counter.Add("paused standby");
                await ExecuteAsync("select pg_wal_replay_pause()");
                await PauseAsync(LongestDetachment, ended);
                await ExecuteAsync("select pg_wal_replay_resume()");
                break;
            default:
                Counter.Add("restarted standby");
                await servers.StopStandbyAsync();
                await PauseAsync(LongestDetachment, ended);
                await servers.StartStandbyAsync();
                servers.Standby.Clear();
                break;
        }
    }

    protected override async Task EndAsync()
    {
        var kind = Next(5);
        if (kind > 0)
        {
            await DetachAsync();
            await Wait.UntilAsync(servers.Primary.DataSource, Waiting, ReplicatedServers.LongestChange);
        }

        if (kind == 1)
        {
            // The operator's cancels end the waits for the standby. What was committed is on the primary only.
            await CancelWaitsAsync();
            await PauseAsync(LongestEnd, CancellationToken.None);
        }
        else if (kind > 2)
        {
            await RestartAsync();
            await PauseAsync(LongestEnd, CancellationToken.None);
        }

        Counter.Add($"primary lost{(kind > 2 ? " after a restart" : kind == 1 ? " after cancels" : "")}{(kind > 0 ? " without a standby" : "")}");
        await servers.Primary.StopAsync();
        await servers.PromoteAsync();
        Proxy.Port = witnessProxy.Port = servers.StandbyPort;
        Witness.Clear();
        await PauseAsync(LongestEnd, CancellationToken.None);
    }

    private async Task DetachAsync()
    {
        servers.Primary.DataSource.Clear();
        await servers.CutOffAsync();
    }

    private async Task CancelWaitsAsync()
    {
        await using var command = servers.Primary.DataSource.CreateCommand("select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'");
        await command.ExecuteNonQueryAsync();
    }

    private async Task ExecuteAsync(string sql)
    {
        await using var command = servers.Standby.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }
}
