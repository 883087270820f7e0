using System.Diagnostics;
using CrawlData.Schema;
using CrawlData.Testing;
using Npgsql;

namespace CrawlData.Benchmarks.Peers.Measurements;

/// <summary>A server from this machine's programs, with a migrated database, that can be restarted.</summary>
internal sealed class RestartableServer : IAsyncDisposable
{
    private static readonly string[] DurableSettings = ["fsync", "full_page_writes", "synchronous_commit"];

    private readonly PostgresBinaries binaries;
    private readonly StartedServer server;

    private RestartableServer(PostgresBinaries binaries, StartedServer server, NpgsqlDataSource dataSource, string folder) =>
        (this.binaries, this.server, DataSource, Folder) = (binaries, server, dataSource, folder);

    public NpgsqlDataSource DataSource { get; }

    public string ConnectionString => server.ConnectionString;

    /// <summary>Gets the data folder.</summary>
    public string Folder { get; }

    /// <param name="fsync">Whether commits wait for the disk, as in production.</param>
    /// <returns>The server; null when this machine has no server programs.</returns>
    public static async Task<RestartableServer?> StartAsync(bool fsync)
    {
        var named = Environment.GetEnvironmentVariable(ServerSearch.BinariesVariable);
        var binaries = string.IsNullOrEmpty(named)
            ? (await PostgresBinaries.FindAsync(Environment.GetEnvironmentVariable, CancellationToken.None)).Newest
            : await PostgresBinaries.InAsync(named, CancellationToken.None);
        if (binaries is null)
        {
            return null;
        }

        var started = await LocalServer.StartAsync(binaries, CancellationToken.None);
        var dataSource = NpgsqlDataSource.Create(started.ConnectionString);
        await new SchemaMigrator(dataSource).MigrateAsync();
        await using var show = dataSource.CreateCommand("show data_directory");
        var server = new RestartableServer(binaries, started, dataSource, (string)(await show.ExecuteScalarAsync())!);
        if (fsync)
        {
            foreach (var setting in DurableSettings)
            {
                await Seed.ExecuteAsync(dataSource, $"alter system set {setting} = on");
            }

            await server.RestartAsync();
        }

        return server;
    }

    public async Task RestartAsync()
    {
        string[] arguments = ["restart", "-s", "-w", "-D", Folder, "-m", "fast", "-l", Path.Combine(Folder, "restarts.log")];
        var start = new ProcessStartInfo(binaries.FileOf("pg_ctl"), arguments)
        {
            WorkingDirectory = "/",
        };
        if (Environment.IsPrivilegedProcess)
        {
            start.UserName = "postgres";
        }

        // Its output is not redirected, because the server inherits it and would keep the pipe open.
        using var restart = Process.Start(start)!;
        await restart.WaitForExitAsync();
        if (restart.ExitCode != 0)
        {
            throw new InvalidOperationException($"pg_ctl restart failed with exit code {restart.ExitCode}.");
        }

        DataSource.Clear();
    }

    public async ValueTask DisposeAsync()
    {
        await DataSource.DisposeAsync();
        await server.StopAsync();
    }
}
