using Npgsql;

namespace CrawlData.Tests.Servers;

/// <summary>A primary and a hot standby of it.</summary>
internal sealed class ReplicatedServers : IAsyncDisposable
{
    private readonly string standbyFolder;

    private ReplicatedServers(RestartableServer primary)
    {
        (Primary, standbyFolder, StandbyPort) = (primary, Path.Combine(Path.GetDirectoryName(primary.Folder)!, "standby"), FreePort.Find());
        var settings = new NpgsqlConnectionStringBuilder(primary.ConnectionString);
        Standby = NpgsqlDataSource.Create(RestartableServer.Patient(new(primary.ConnectionString) { Port = StandbyPort }));
        ConnectionString = new NpgsqlConnectionStringBuilder(primary.ConnectionString)
        {
            Host = $"{settings.Host}:{StandbyPort},{settings.Host}:{settings.Port}",
            HostRecheckSeconds = 1,
            MaxPoolSize = 24,
        }.ConnectionString;
    }

    /// <summary>How long a change of the servers may last, also on a machine with much other work.</summary>
    public static readonly TimeSpan LongestChange = TimeSpan.FromMinutes(3);

    public RestartableServer Primary { get; }

    public NpgsqlDataSource Standby { get; }

    public int StandbyPort { get; }

    /// <summary>The connection string of both servers, the standby first.</summary>
    public string ConnectionString { get; }

    /// <summary>How the standby connects to the primary, in the format of libpq.</summary>
    private string PrimaryConnection
    {
        get
        {
            var settings = new NpgsqlConnectionStringBuilder(Primary.ConnectionString);
            return $"host={settings.Host} port={settings.Port} user={settings.Username} password={settings.Password}";
        }
    }

    /// <param name="synchronous">Whether a COMMIT waits until the standby has written it to its disk.</param>
    public static async Task<ReplicatedServers> StartAsync(bool synchronous)
    {
        var servers = new ReplicatedServers(await RestartableServer.StartAsync());
        try
        {
            await servers.BackUpAsync();
            await servers.StartStandbyAsync();

            // It is set after the backup: the standby has the primary's settings otherwise, and would wait for a standby of its own when promoted.
            await servers.Primary.SetAsync(("synchronous_standby_names", synchronous ? "*" : ""));
            var state = synchronous ? "sync" : "async";
            await Wait.UntilAsync(
                servers.Primary.DataSource, $"select exists (select from pg_stat_replication where sync_state = '{state}')", LongestChange);
            return servers;
        }
        catch
        {
            await servers.DisposeAsync();
            throw;
        }
    }

    public Task StartStandbyAsync() => Primary.ControlAsync("start", standbyFolder, "-l", $"{standbyFolder}.log", "-o", $"-p {StandbyPort}");

    public Task StopStandbyAsync() => Primary.ControlAsync("stop", standbyFolder, "-m", "immediate");

    public Task PromoteAsync() => Primary.ControlAsync("promote", standbyFolder);

    /// <summary>Stops the replication. A COMMIT waits for a synchronous standby; an asynchronous one falls behind.</summary>
    public async Task CutOffAsync()
    {
        await SetStandbyAsync(("primary_conninfo", ""));
        await Wait.UntilAsync(Primary.DataSource, "select not exists (select from pg_stat_replication)", LongestChange);
    }

    /// <summary>Starts the replication again after <see cref="CutOffAsync"/>. It does not wait for it.</summary>
    public Task AttachAsync() => SetStandbyAsync(("primary_conninfo", PrimaryConnection));

    /// <summary>Changes the standby's settings that need no restart.</summary>
    public async Task SetStandbyAsync(params (string Name, string Value)[] settings)
    {
        await using var batch = Standby.CreateBatch();
        foreach (var (name, value) in settings)
        {
            batch.BatchCommands.Add(new($"alter system set {name} = '{value}'"));
        }

        batch.BatchCommands.Add(new("select pg_reload_conf()"));
        await batch.ExecuteNonQueryAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await Standby.DisposeAsync();
        await Primary.DisposeAsync();
    }

    private async Task BackUpAsync()
    {
        if (Primary.Find("pg_basebackup") is { } program)
        {
            await Primary.RunAsync(program, "-D", standbyFolder, "-d", PrimaryConnection, "-R", "-c", "fast", "--no-sync");
            return;
        }

        // Some packages lack pg_basebackup, and an older version's refuses the server. So the files of a stopped server are copied.
        await Primary.StopAsync("fast");
        await Primary.RunAsync("cp", "-R", Primary.Folder, standbyFolder);
        await Primary.RunAsync("touch", Path.Combine(standbyFolder, "standby.signal"));
        await File.AppendAllTextAsync(Path.Combine(standbyFolder, "postgresql.auto.conf"), $"primary_conninfo = '{PrimaryConnection}'\n");
        await Primary.RestartAsync();
        Primary.DataSource.Clear();
    }
}
