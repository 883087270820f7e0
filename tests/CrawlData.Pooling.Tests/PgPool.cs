using System.Diagnostics;
using CrawlData.Tests;
using CrawlData.Tests.Servers;
using Npgsql;

namespace CrawlData.Pooling.Tests;

/// <summary>A pgpool-II that sends each statement to a server of its choice: what it takes for a read to the standby, and all else to the primary.</summary>
internal sealed class PgPool : IAsyncDisposable
{
    private static readonly string[] Programs = ["/usr/sbin/pgpool", "/usr/bin/pgpool", "/usr/local/bin/pgpool", "/opt/homebrew/bin/pgpool"];

    private readonly Process process;
    private readonly DirectoryInfo folder;

    private PgPool(Process process, DirectoryInfo folder, NpgsqlDataSource dataSource) =>
        (this.process, this.folder, DataSource) = (process, folder, dataSource);

    public NpgsqlDataSource DataSource { get; }

    /// <summary>The program's path; null where it is not installed.</summary>
    public static string? Find() => Programs.FirstOrDefault(File.Exists);

    public static async Task<PgPool> StartAsync(ReplicatedServers servers)
    {
        var primary = new NpgsqlConnectionStringBuilder(servers.Primary.ConnectionString);
        var standby = new NpgsqlConnectionStringBuilder(servers.Standby.ConnectionString);
        var folder = Directory.CreateTempSubdirectory("crawldata-pgpool-");
        var port = FreePort.Find();
        var settings = Path.Combine(folder.FullName, "pgpool.conf");
        var passwords = Path.Combine(folder.FullName, "passwords");
        await File.WriteAllTextAsync(passwords, $"{primary.Username}:TEXT{primary.Password}\n");
        await File.WriteAllTextAsync(
            settings,
            $"""
            listen_addresses = '127.0.0.1'
            port = {port}
            pcp_listen_addresses = ''
            pcp_port = {FreePort.Find()}
            socket_dir = '{folder.FullName}'
            pcp_socket_dir = '{folder.FullName}'
            logdir = '{folder.FullName}'
            pid_file_name = '{folder.FullName}/pid'
            pool_passwd = '{passwords}'
            enable_pool_hba = off
            allow_clear_text_frontend_auth = on
            backend_clustering_mode = 'streaming_replication'
            backend_hostname0 = '{primary.Host}'
            backend_port0 = {primary.Port}
            backend_weight0 = 0
            backend_hostname1 = '{standby.Host}'
            backend_port1 = {standby.Port}
            backend_weight1 = 1
            load_balance_mode = on
            num_init_children = 8
            sr_check_user = '{primary.Username}'
            sr_check_database = '{primary.Database}'

            """);
        var start = new ProcessStartInfo(Find()!, ["-n", "-f", settings, "-F", $"{folder.FullName}/pcp.conf", "-a", $"{folder.FullName}/hba.conf"])
        {
            WorkingDirectory = "/",
            RedirectStandardError = true,
        };
        if (Environment.IsPrivilegedProcess && !OperatingSystem.IsWindows())
        {
            start.UserName = "postgres";
            folder.UnixFileMode = (UnixFileMode)0x1FF;
        }

        var process = await PoolerProcess.StartAsync(start, ready: "successfully started");
        var pooled = new NpgsqlConnectionStringBuilder(primary.ConnectionString) { Host = "127.0.0.1", Port = port, MaxPoolSize = 4 };
        return new PgPool(process, folder, NpgsqlDataSource.Create(pooled));
    }

    public async ValueTask DisposeAsync()
    {
        await DataSource.DisposeAsync();
        process.Kill(entireProcessTree: true);
        await process.WaitForExitAsync();
        process.Dispose();
        folder.Delete(recursive: true);
    }
}
