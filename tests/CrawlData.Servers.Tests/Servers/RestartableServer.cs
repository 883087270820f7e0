using System.Diagnostics;
using CrawlData.Schema;
using CrawlData.Testing;
using Dapper;
using Npgsql;

namespace CrawlData.Tests.Servers;

/// <summary>A migrated server from this machine's binaries, which a test can configure, stop and start. Without binaries the test is ignored.</summary>
internal sealed class RestartableServer : IAsyncDisposable
{
    private readonly PostgresBinaries binaries;
    private readonly StartedServer server;

    private RestartableServer(PostgresBinaries binaries, StartedServer server, string folder)
    {
        (this.binaries, this.server, Folder) = (binaries, server, folder);
        DataSource = NpgsqlDataSource.Create(Patient(new(server.ConnectionString) { MaxPoolSize = 24 }));
    }

    public NpgsqlDataSource DataSource { get; }

    public string ConnectionString => server.ConnectionString;

    /// <summary>The folder of its data. Folders beside it are deleted with it.</summary>
    public string Folder { get; }

    /// <summary>Finds the server's programs.</summary>
    public static async Task<PostgresBinaries> FindBinariesAsync()
    {
        var folder = Environment.GetEnvironmentVariable(ServerSearch.BinariesVariable);
        var binaries = string.IsNullOrEmpty(folder)
            ? (await PostgresBinaries.FindAsync(Environment.GetEnvironmentVariable, CancellationToken.None)).Newest
            : await PostgresBinaries.InAsync(folder, CancellationToken.None);
        return binaries ?? throw new AssertionException("The server's programs are not installed: apt-get install postgresql");
    }

    /// <summary>Sets time-outs that suit a machine with much other work.</summary>
    public static NpgsqlConnectionStringBuilder Patient(NpgsqlConnectionStringBuilder settings)
    {
        (settings.Timeout, settings.CommandTimeout) = (120, 120);
        return settings;
    }

    public static async Task<RestartableServer> StartAsync()
    {
        var binaries = await FindBinariesAsync();
        var server = await LocalServer.StartAsync(binaries, CancellationToken.None);
        await using var dataSource = NpgsqlDataSource.Create(server.ConnectionString);
        await new SchemaMigrator(dataSource).MigrateAsync();
        await using var show = dataSource.CreateCommand("show data_directory");
        return new RestartableServer(binaries, server, (string)(await show.ExecuteScalarAsync())!);
    }

    /// <summary>Restarts the server as after a crash: sessions end at once, and the log is replayed.</summary>
    public Task RestartAsync(string mode = "immediate") => ControlAsync("restart", Folder, "-m", mode, "-l", $"{Folder}.log");

    public Task StopAsync(string mode = "immediate") => ControlAsync("stop", Folder, "-m", mode);

    /// <summary>Changes the server's settings that need no restart. A null value restores the default.</summary>
    public async Task SetAsync(params (string Name, string? Value)[] settings)
    {
        await using var batch = DataSource.CreateBatch();
        foreach (var (name, value) in settings)
        {
            batch.BatchCommands.Add(new($"alter system {(value is null ? $"reset {name}" : $"set {name} = '{value}'")}"));
        }

        batch.BatchCommands.Add(new("select pg_reload_conf()"));
        await batch.ExecuteNonQueryAsync();
    }

    /// <summary>Makes each COMMIT wait for a standby that never comes.</summary>
    public async Task RequireMissingStandbyAsync()
    {
        await SetAsync(("synchronous_standby_names", "nobody"));

        // One process of the server turns the setting on for all sessions, some time after the reload. Until then no COMMIT waits.
        await using var committing = await DataSource.OpenConnectionAsync();
        await using var watching = await DataSource.OpenConnectionAsync();
        var waits = false;
        await Wait.UntilAsync(
            async () =>
            {
                var commit = committing.ExecuteAsync("select pg_logical_emit_message(true, '', '')");
                while (!waits && !commit.IsCompleted)
                {
                    waits = await watching.ExecuteScalarAsync<bool>(
                        $"select exists (select from pg_stat_activity where pid = {committing.ProcessID} and wait_event = 'SyncRep')");
                }

                if (waits)
                {
                    await watching.ExecuteAsync($"select pg_cancel_backend({committing.ProcessID})");
                }

                await commit;
                return waits;
            },
            "a COMMIT waits for the standby");
    }

    /// <summary>Runs <c>pg_ctl</c>, which waits until it is done.</summary>
    public Task ControlAsync(string command, string folder, params string[] arguments) =>
        RunAsync(binaries.FileOf("pg_ctl"), [command, "-s", "-w", "-D", folder, .. arguments]);

    /// <summary>Returns the path of another program of the same version, or null when it is missing.</summary>
    public string? Find(string program) => File.Exists(binaries.FileOf(program)) ? binaries.FileOf(program) : null;

    /// <summary>Runs a program as the user that the server runs as.</summary>
    public async Task RunAsync(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = "/" };
        start.Environment["PGCTLTIMEOUT"] = "180";
        start.Environment["PGPASSWORD"] = new NpgsqlConnectionStringBuilder(ConnectionString).Password;
        if (Environment.IsPrivilegedProcess)
        {
            start.UserName = "postgres";
        }

        // A server that it starts inherits its output, so the output is not read.
        using var process = Process.Start(start)!;
        await process.WaitForExitAsync();
        Assert.That(process.ExitCode, Is.Zero, $"{program} {string.Join(' ', arguments)}");
    }

    public async ValueTask DisposeAsync()
    {
        await DataSource.DisposeAsync();
        await server.StopAsync();
    }
}
