using CrawlData.Testing;
using Npgsql;

namespace CrawlData.Tests.Servers;

/// <summary>A primary and a hot standby of it.</summary>
internal sealed class ReplicatedServers : IAsyncDisposable
{
    private readonly string standbyFolder;

    private ReplicatedServers(RestartableServer primary, string standbyFolder, int standbyPort)
    {
        (Primary, this.standbyFolder) = (primary, standbyFolder);
        var settings = new NpgsqlConnectionStringBuilder(primary.ConnectionString);
        Standby = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(primary.ConnectionString) { Port = standbyPort });
        ConnectionString = new NpgsqlConnectionStringBuilder(primary.ConnectionString)
        {
            Host = $"{settings.Host}:{settings.Port},{settings.Host}:{standbyPort}",
            HostRecheckSeconds = 1,
            MaxPoolSize = 24,
        }.ConnectionString;
    }

    public RestartableServer Primary { get; }

    public NpgsqlDataSource Standby { get; }

    /// <summary>Of both.</summary>
    public string ConnectionString { get; }

    /// <param name="synchronous">Whether a COMMIT waits until the standby has written it to its disk.</param>
    public static async Task<ReplicatedServers> StartAsync(bool synchronous)
    {
        var primary = await RestartableServer.StartAsync();
        try
        {
            var (folder, port) = (Path.Combine(Path.GetDirectoryName(primary.Folder)!, "standby"), LocalServer.FreePort());
            await BackUpAsync(primary, folder);
            await primary.ControlAsync("start", folder, "-l", $"{folder}.log", "-o", $"-p {port}");

            // Only now, so that the standby, which has the primary's settings, waits for nobody when it is promoted.
            await primary.SetAsync(("synchronous_standby_names", synchronous ? "*" : ""));
            var states = synchronous ? "sync" : "async";
            await Wait.UntilAsync(primary.DataSource, $"select exists (select from pg_stat_replication where sync_state = '{states}')", TimeSpan.FromSeconds(20));
            return new ReplicatedServers(primary, folder, port);
        }
        catch
        {
            await primary.DisposeAsync();
            throw;
        }
    }

    /// <summary>The standby gets no more of what the primary writes: a COMMIT waits, or with a standby that is not synchronous the standby falls behind.</summary>
    public async Task CutOffAsync()
    {
        await using var batch = Standby.CreateBatch();
        batch.BatchCommands.Add(new("alter system set primary_conninfo = ''"));
        batch.BatchCommands.Add(new("select pg_reload_conf()"));
        await batch.ExecuteNonQueryAsync();
        await Wait.UntilAsync(Primary.DataSource, "select not exists (select from pg_stat_replication)", TimeSpan.FromSeconds(20));
    }

    public Task PromoteAsync() => Primary.ControlAsync("promote", standbyFolder);

    public Task StopStandbyAsync() => Primary.ControlAsync("stop", standbyFolder, "-m", "immediate");

    public async ValueTask DisposeAsync()
    {
        await Standby.DisposeAsync();
        await Primary.DisposeAsync();
    }

    private static async Task BackUpAsync(RestartableServer primary, string folder)
    {
        var settings = new NpgsqlConnectionStringBuilder(primary.ConnectionString);
        var connection = $"host={settings.Host} port={settings.Port} user={settings.Username}";
        if (primary.Find("pg_basebackup") is { } program)
        {
            await primary.RunAsync(program, "-D", folder, "-d", connection, "-R", "-c", "fast", "--no-sync");
            return;
        }

        // Some packages of server programs lack it, and that of an older version refuses: what it does is done by hand, on a server that is shut down.
        await primary.StopAsync("fast");
        await primary.RunAsync("cp", "-R", primary.Folder, folder);
        await primary.RunAsync("touch", Path.Combine(folder, "standby.signal"));
        await File.AppendAllTextAsync(Path.Combine(folder, "postgresql.auto.conf"), $"primary_conninfo = '{connection} password={settings.Password}'\n");
        await primary.RestartAsync();
        primary.DataSource.Clear();
    }
}
