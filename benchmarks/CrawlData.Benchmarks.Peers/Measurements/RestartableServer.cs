using System.Diagnostics;
using CrawlData.Schema;
using CrawlData.Testing;
using Npgsql;

namespace CrawlData.Benchmarks.Peers.Measurements;

/// <summary>A server of this machine's binaries, with a migrated database, that is restarted.</summary>
internal sealed class RestartableServer : IAsyncDisposable
{
    private const string FolderSql = """show data_directory""";

    private readonly PostgresBinaries binaries;
    private readonly StartedServer server;
    private readonly string folder;

    private RestartableServer(PostgresBinaries binaries, StartedServer server, NpgsqlDataSource dataSource, string folder) =>
        (this.binaries, this.server, DataSource, this.folder) = (binaries, server, dataSource, folder);

    public NpgsqlDataSource DataSource { get; }

    /// <returns>None when this machine has no binaries.</returns>
    public static async Task<RestartableServer?> StartAsync()
    {
        var named = Environment.GetEnvironmentVariable("CRAWLDATA_POSTGRES_BIN");
        var binaries = string.IsNullOrEmpty(named) ? PostgresBinaries.Find(Environment.GetEnvironmentVariable) : PostgresBinaries.In(named);
        if (binaries is null)
        {
            return null;
        }

        var server = await LocalServer.StartAsync(binaries, CancellationToken.None);
        var dataSource = NpgsqlDataSource.Create(server.ConnectionString);
        await new SchemaMigrator(dataSource).MigrateAsync();
        await using var show = dataSource.CreateCommand(FolderSql);
        return new(binaries, server, dataSource, (string)(await show.ExecuteScalarAsync())!);
    }

    public async Task RestartAsync()
    {
        string[] arguments = ["restart", "-s", "-w", "-D", folder, "-m", "fast", "-l", Path.Combine(folder, "restarts.log")];
        var start = new ProcessStartInfo(binaries.FileOf("pg_ctl"), arguments)
        {
            WorkingDirectory = "/",
        };
        if (Environment.IsPrivilegedProcess)
        {
            start.UserName = "postgres";
        }

        // Its output is not read: the server inherits it.
        using var restart = Process.Start(start)!;
        await restart.WaitForExitAsync();
        if (restart.ExitCode != 0)
        {
            throw new InvalidOperationException($"pg_ctl restart ended with {restart.ExitCode}.");
        }

        DataSource.Clear();
    }

    public async ValueTask DisposeAsync()
    {
        await DataSource.DisposeAsync();
        await server.StopAsync();
    }
}
