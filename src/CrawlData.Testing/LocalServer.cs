using System.ComponentModel;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Npgsql;

namespace CrawlData.Testing;

/// <summary>A server from this machine's programs, in a folder of its own, with a watchdog process that cleans up.</summary>
/// <remarks>
/// <para>The watchdog starts first. Its standard input is a pipe from this process. The pipe ends when this process ends, also when it is killed. The watchdog
/// then stops the server and removes the folder.</para>
/// <para>On Unix the watchdog also runs the steps of the start, one after another. So nothing is left when this process is killed during a step. It stops each
/// server in the folder, for example a standby beside the server.</para>
/// </remarks>
internal sealed class LocalServer : IAsyncDisposable
{
    private const int PortAttempts = 5;

    // Ctrl-C sends a signal to the whole process group, and a closed terminal to the session. So the watchdog ignores these signals, and has its own session
    // where setsid exists. It ignores PIPE too, because its answers have no reader after this process has ended.
    private const string UnixSession = """trap '' INT TERM HUP PIPE; command -v setsid >/dev/null && exec setsid "$0" "$@"; exec "$0" "$@" """;
    private const string UnixWatchdog = """
        umask 077
        name=crawldata-test-XXXXXXXXXX
        dir=$(mktemp -d "${TMPDIR:-/tmp}/$name" 2>/dev/null || mktemp -d "/tmp/$name") && echo "$dir" || exit
        while IFS= read -r step; do
          eval "$step" >>"$dir/steps.log" 2>&1 </dev/null
          echo $?
        done
        exec >/dev/null 2>&1
        for data in "$dir"/*/; do "$1" stop -D "$data" -m immediate; done
        rm -rf "$dir"
        """;

    private readonly Process watchdog;
    private readonly string folder;

    private LocalServer(Process watchdog, string folder)
    {
        this.watchdog = watchdog;
        this.folder = folder;
    }

    /// <summary>Starts the watchdog and the server.</summary>
    /// <exception cref="ThrowawayServerException">The server does not start.</exception>
    public static async Task<StartedServer> StartAsync(PostgresBinaries binaries, CancellationToken cancellationToken)
    {
        var source = $"server programs in {binaries.Folder}";
        LocalServer server;
        try
        {
            server = OperatingSystem.IsWindows()
                ? WatchOnWindows(binaries)
                : await WatchOnUnixAsync(binaries, cancellationToken).ConfigureAwait(false);
        }
        catch (Win32Exception exception)
        {
            throw new ThrowawayServerException($"The server's watchdog does not start ({source}): {exception.Message}", exception);
        }
        try
        {
            var connectionString = await server.RunAsync(binaries, cancellationToken).ConfigureAwait(false);
            return new(connectionString, source, StartedServer.OwnDatabasePrefix, server.DisposeAsync);
        }
        catch
        {
            await server.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Closes the pipe, and waits until the watchdog has stopped the server and removed the folder.</summary>
    public async ValueTask DisposeAsync()
    {
        watchdog.StandardInput.Close();
        await watchdog.WaitForExitAsync().ConfigureAwait(false);
        watchdog.Dispose();
    }

    private static async Task<LocalServer> WatchOnUnixAsync(PostgresBinaries binaries, CancellationToken cancellationToken)
    {
        var start = Piped(new("/bin/sh", ["-c", UnixSession, "/bin/sh", "-c", UnixWatchdog, "crawldata-watchdog", binaries.FileOf("pg_ctl")]));
        // The server refuses to run as root.
        if (Environment.IsPrivilegedProcess)
        {
            start.UserName = File.ReadLines("/etc/passwd").Any(line => line.StartsWith("postgres:", StringComparison.Ordinal)) ? "postgres" : "nobody";
        }

        var watchdog = Process.Start(start)!;
        try
        {
            var folder = await watchdog.StandardOutput.ReadLineAsync(cancellationToken).ConfigureAwait(false);
            if (folder is null)
            {
                var error = await watchdog.StandardError.ReadToEndAsync(cancellationToken).ConfigureAwait(false);
                throw new ThrowawayServerException($"A folder for the server could not be made in the folder for temporary files: {error.Trim()}");
            }
            return new(watchdog, folder);
        }
        catch
        {
            watchdog.StandardInput.Close();
            watchdog.Dispose();
            throw;
        }
    }

    private static LocalServer WatchOnWindows(PostgresBinaries binaries)
    {
        var folder = Directory.CreateTempSubdirectory("crawldata-test-").FullName;
        var stop = $"""findstr . >nul & "{binaries.FileOf("pg_ctl")}" stop -D "{folder}\data" -m immediate >nul 2>&1 & rmdir /s /q "{folder}" """;
        return new(Process.Start(Piped(new("cmd.exe", $"/d /s /c \"{stop}\"")))!, folder);
    }

    private static ProcessStartInfo Piped(ProcessStartInfo start)
    {
        start.RedirectStandardInput = start.RedirectStandardOutput = start.RedirectStandardError = true;
        start.CreateNoWindow = true;
        // A folder that another user may enter.
        start.WorkingDirectory = Path.GetPathRoot(Environment.CurrentDirectory)!;
        return start;
    }

    private async Task<string> RunAsync(PostgresBinaries binaries, CancellationToken cancellationToken)
    {
        var data = Path.Combine(folder, "data");
        var passwordFile = Path.Combine(folder, "password");
        var log = Path.Combine(folder, "server.log");
        var password = RandomNumberGenerator.GetHexString(32);
        await File.WriteAllTextAsync(passwordFile, password, cancellationToken).ConfigureAwait(false);
        // When this process runs as root, initdb runs as another user, and must read the file. The folder is closed to all other users.
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(passwordFile, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
        }

        var initdb = $"{Quoted(binaries.FileOf("initdb"))} -D {Quoted(data)} --username=postgres --pwfile={Quoted(passwordFile)} --auth=scram-sha-256"
            + " --locale=C --encoding=UTF8 --no-sync --no-instructions";
        if (!await StepAsync(initdb, cancellationToken).ConfigureAwait(false))
        {
            throw await FailureAsync("initdb", binaries, cancellationToken).ConfigureAwait(false);
        }

        File.Delete(passwordFile);

        (string Name, string Value)[] settings = [.. ServerSettings.All, ("listen_addresses", "127.0.0.1"), ("unix_socket_directories", "")];
        await File.AppendAllLinesAsync(
            Path.Combine(data, "postgresql.conf"), settings.Select(setting => $"{setting.Name} = '{setting.Value}'"), cancellationToken).ConfigureAwait(false);

        // A port that is free now may be taken when the server binds it. So there are several attempts.
        for (var attempt = 1; attempt <= PortAttempts; attempt++)
        {
            var port = FreePort();
            var start = $"{Quoted(binaries.FileOf("pg_ctl"))} start -w -D {Quoted(data)} -l {Quoted(log)} -o {Quoted($"-p {port}")}";
            if (await StepAsync(start, cancellationToken).ConfigureAwait(false))
            {
                return new NpgsqlConnectionStringBuilder
                {
                    Host = "127.0.0.1",
                    Port = port,
                    Database = "postgres",
                    Username = "postgres",
                    Password = password,
                }.ConnectionString;
            }
        }
        throw await FailureAsync("pg_ctl start", binaries, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Runs a command.</summary>
    /// <returns>Whether its exit code is 0.</returns>
    private async Task<bool> StepAsync(string command, CancellationToken cancellationToken)
    {
        if (!OperatingSystem.IsWindows())
        {
            await watchdog.StandardInput.WriteLineAsync(command.AsMemory(), cancellationToken).ConfigureAwait(false);
            await watchdog.StandardInput.FlushAsync(cancellationToken).ConfigureAwait(false);
            return await watchdog.StandardOutput.ReadLineAsync(cancellationToken).ConfigureAwait(false) == "0";
        }
        using var process = Process.Start(Piped(new("cmd.exe", $"/d /s /c \"{command} >>\"{Path.Combine(folder, "steps.log")}\" 2>&1 <nul\"")))!;
        await process.WaitForExitAsync(cancellationToken).ConfigureAwait(false);
        return process.ExitCode == 0;
    }

    private async Task<ThrowawayServerException> FailureAsync(string step, PostgresBinaries binaries, CancellationToken cancellationToken)
    {
        var lines = new List<string>();
        foreach (var log in Directory.GetFiles(folder, "*.log"))
        {
            lines.AddRange((await File.ReadAllLinesAsync(log, cancellationToken).ConfigureAwait(false)).TakeLast(10));
        }

        return new($"{step} failed (server programs in {binaries.Folder}):{Environment.NewLine}{string.Join(Environment.NewLine, lines)}");
    }

    private static string Quoted(string argument) =>
        OperatingSystem.IsWindows() ? $"\"{argument}\"" : $"'{argument.Replace("'", @"'\''", StringComparison.Ordinal)}'";

    /// <summary>Finds a port of the loopback address that is free now.</summary>
    internal static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
