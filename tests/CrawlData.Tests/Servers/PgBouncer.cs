using System.Diagnostics;
using CrawlData.Testing;
using Npgsql;

namespace CrawlData.Tests.Servers;

/// <summary>A PgBouncer in transaction mode in front of a database. Where there is none on the machine, the test is ignored.</summary>
internal sealed class PgBouncer : IAsyncDisposable
{
    private readonly Process process;
    private readonly DirectoryInfo folder;

    private PgBouncer(Process process, DirectoryInfo folder, string connectionString)
    {
        (this.process, this.folder, ConnectionString) = (process, folder, connectionString);
    }

    public string ConnectionString { get; }

    private static string? Find() =>
        new[] { "/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/usr/local/bin/pgbouncer", "/opt/homebrew/bin/pgbouncer" }.FirstOrDefault(File.Exists);

    public static async Task<PgBouncer> StartAsync(string connectionString)
    {
        if (Find() is not { } program)
        {
            Assert.Ignore("There is no pgbouncer on this machine.");
            throw new UnreachableException();
        }

        var server = new NpgsqlConnectionStringBuilder(connectionString);
        var folder = Directory.CreateTempSubdirectory("crawldata-pgbouncer-");
        var port = LocalServer.FreePort();
        var settings = Path.Combine(folder.FullName, "pgbouncer.ini");
        var users = Path.Combine(folder.FullName, "users.txt");
        await File.WriteAllTextAsync(users, $"\"{server.Username}\" \"{server.Password}\"\n");
        await File.WriteAllTextAsync(settings,
            $"""
            [databases]
            {server.Database} = host={server.Host} port={server.Port} dbname={server.Database} user={server.Username} password='{server.Password}' application_name=pooled
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = {port}
            unix_socket_dir =
            auth_type = plain
            auth_file = {users}
            pool_mode = transaction
            default_pool_size = 6
            logfile = {Path.Combine(folder.FullName, "pgbouncer.log")}

            """);
        var start = new ProcessStartInfo(program, ["-q", settings]) { WorkingDirectory = "/" };
        if (Environment.IsPrivilegedProcess && !OperatingSystem.IsWindows())
        {
            // It refuses to run as root.
            start.UserName = "postgres";
            folder.UnixFileMode = (UnixFileMode)0x1FF;
        }

        var process = Process.Start(start)!;
        var pooled = new NpgsqlConnectionStringBuilder(connectionString) { Host = "127.0.0.1", Port = port, NoResetOnClose = true };
        await using var dataSource = NpgsqlDataSource.Create(pooled);
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                await using var connection = await dataSource.OpenConnectionAsync();
                return new PgBouncer(process, folder, pooled.ConnectionString);
            }
            catch (NpgsqlException) when (attempt < 100)
            {
                await Task.Delay(50);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        process.Kill();
        await process.WaitForExitAsync();
        process.Dispose();
        folder.Delete(recursive: true);
    }
}
