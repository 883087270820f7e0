using System.Diagnostics;
using CrawlData.Schema;
using CrawlData.Testing;
using Npgsql;

namespace CrawlData.Tests.Faults;

/// <summary>A server of this machine's binaries, which is shut down and started again.</summary>
internal sealed class RestartableServer : IAsyncDisposable
{
    private readonly PostgresBinaries binaries;
    private readonly StartedServer server;
    private readonly string folder;

    private RestartableServer(PostgresBinaries binaries, StartedServer server, string folder)
    {
        (this.binaries, this.server, this.folder) = (binaries, server, folder);
        DataSource = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(server.ConnectionString) { MaxPoolSize = 24 });
    }

    public NpgsqlDataSource DataSource { get; }

    public string ConnectionString => server.ConnectionString;

    public static async Task<RestartableServer> StartAsync()
    {
        var binaries = PostgresBinaries.Find(Environment.GetEnvironmentVariable)!;
        var server = await LocalServer.StartAsync(binaries, CancellationToken.None);
        await using var dataSource = NpgsqlDataSource.Create(server.ConnectionString);
        await new SchemaMigrator(dataSource).MigrateAsync();
        await using var show = dataSource.CreateCommand("show data_directory");
        return new RestartableServer(binaries, server, (string)(await show.ExecuteScalarAsync())!);
    }

    /// <summary>As after a crash of the server: sessions end where they are, and the log is replayed.</summary>
    public async Task RestartAsync()
    {
        var start = new ProcessStartInfo(binaries.FileOf("pg_ctl"), ["restart", "-s", "-D", folder, "-m", "immediate", "-w", "-l", Path.Combine(folder, "restarts.log")])
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
        Assert.That(restart.ExitCode, Is.Zero);
    }

    public async ValueTask DisposeAsync()
    {
        await DataSource.DisposeAsync();
        await server.StopAsync();
    }
}
