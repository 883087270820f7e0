using System.Diagnostics;
using CrawlData.Tests;
using Npgsql;

namespace CrawlData.Pooling.Tests;

/// <summary>A PgBouncer in transaction mode in front of a database.</summary>
internal sealed class PgBouncer : IAsyncDisposable
{
    private static readonly string[] Programs = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/usr/local/bin/pgbouncer", "/opt/homebrew/bin/pgbouncer"];

    private readonly Process process;
    private readonly DirectoryInfo folder;

    private PgBouncer(Process process, DirectoryInfo folder, string connectionString)
    {
        (this.process, this.folder, ConnectionString) = (process, folder, connectionString);
    }

    public string ConnectionString { get; }

    /// <summary>The program's path; null where it is not installed.</summary>
    public static string? Find() => Programs.FirstOrDefault(File.Exists);

    public static async Task<PgBouncer> StartAsync(string connectionString)
    {
        var server = new NpgsqlConnectionStringBuilder(connectionString);
        var folder = Directory.CreateTempSubdirectory("crawldata-pgbouncer-");
        var port = FreePort.Find();
        var settings = Path.Combine(folder.FullName, "pgbouncer.ini");
        var users = Path.Combine(folder.FullName, "users.txt");
        var target = $"host={server.Host} port={server.Port} dbname={server.Database} user={server.Username} password='{server.Password}'";
        await File.WriteAllTextAsync(users, $"\"{server.Username}\" \"{server.Password}\"\n");
        await File.WriteAllTextAsync(
            settings,
            $"""
            [databases]
            {server.Database} = {target} application_name=pooled
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = {port}
            unix_socket_dir =
            auth_type = plain
            auth_file = {users}
            pool_mode = transaction
            default_pool_size = 6

            """);
        var start = new ProcessStartInfo(Find()!, [settings]) { WorkingDirectory = "/", RedirectStandardError = true };
        if (Environment.IsPrivilegedProcess && !OperatingSystem.IsWindows())
        {
            // PgBouncer refuses to run as root.
            start.UserName = "postgres";
            folder.UnixFileMode = (UnixFileMode)0x1FF;
        }

        var process = await PoolerProcess.StartAsync(start, ready: "process up");
        var pooled = new NpgsqlConnectionStringBuilder(connectionString) { Host = "127.0.0.1", Port = port, NoResetOnClose = true };
        return new PgBouncer(process, folder, pooled.ConnectionString);
    }

    public async ValueTask DisposeAsync()
    {
        process.Kill();
        await process.WaitForExitAsync();
        process.Dispose();
        folder.Delete(recursive: true);
    }
}
