using System.ComponentModel;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Npgsql;

namespace CrawlData.Testing;

/// <summary>A server from this machine's programs, in a folder of its own, with a watchdog process that cleans up.</summary>
/// <remarks>
/// <para>The watchdog starts first. Its standard input is a pipe from this process. The pipe ends when this process ends, also when it is killed. The watchdog
/// then stops the server and removes the folder.</para>
/// <para>On Unix the watchdog also runs the steps of the start, one after another. So nothing is left when this process is killed during a step. It stops each
/// server in the folder, for example a standby beside the server.</para>
/// <para>When this process runs as root, the watchdog does not. The watchdog's user owns the folder and can put links there, so only the watchdog reads and
/// writes files in it.</para>
/// </remarks>
internal sealed class LocalServer : IAsyncDisposable
{
    private const int PortAttempts = 5;
    private const string LogsStep = "logs";
    private static readonly TimeSpan DefaultStepLimit = TimeSpan.FromMinutes(2);

    // Ctrl-C sends a signal to the whole process group, and a closed terminal to the session. So the watchdog ignores these signals, and has its own session
    // where setsid exists. It ignores PIPE too, because its answers have no reader after this process has ended.
    private const string UnixSession = """trap '' INT TERM HUP PIPE; command -v setsid >/dev/null && exec setsid "$0" "$@"; exec "$0" "$@" """;
    private const string UnixCleanup = """for data in "$dir"/*/; do "$1" stop -D "$data" -m immediate; done; rm -rf "$dir" """;
    private const string UnixWatchdog = $$"""
        umask 077
        name=crawldata-test-XXXXXXXXXX
        dir=$(mktemp -d "${TMPDIR:-/tmp}/$name" 2>/dev/null || mktemp -d "/tmp/$name") && echo "$dir" || exit
        while IFS= read -r step; do
          if [ "$step" = {{LogsStep}} ]; then
            for log in "$dir"/*.log; do tail -n 10 "$log"; done
            break
          fi
          eval "$step" >>"$dir/steps.log" 2>&1 </dev/null
          echo $?
        done
        exec >/dev/null 2>&1
        {{UnixCleanup}}
        """;

    private readonly PostgresBinaries binaries;
    private readonly Process watchdog;
    private readonly string folder;
    private readonly TimeSpan stepLimit;

    private LocalServer(PostgresBinaries binaries, Process watchdog, string folder, TimeSpan stepLimit) =>
        (this.binaries, this.watchdog, this.folder, this.stepLimit) = (binaries, watchdog, folder, stepLimit);

    /// <summary>Starts the watchdog and the server.</summary>
    /// <exception cref="ThrowawayServerException">The server does not start.</exception>
    public static Task<StartedServer> StartAsync(PostgresBinaries binaries, CancellationToken cancellationToken) =>
        StartAsync(binaries, DefaultStepLimit, cancellationToken);

    /// <summary>Starts the watchdog and the server.</summary>
    /// <param name="binaries">The server's programs.</param>
    /// <param name="stepLimit">The longest that a program of a step may take.</param>
    /// <param name="cancellationToken">Cancels the start.</param>
    /// <exception cref="ThrowawayServerException">The server does not start.</exception>
    public static async Task<StartedServer> StartAsync(PostgresBinaries binaries, TimeSpan stepLimit, CancellationToken cancellationToken)
    {
        var source = $"server programs in {binaries.Folder}";
        LocalServer server;
        try
        {
            server = OperatingSystem.IsWindows()
                ? WatchOnWindows(binaries, stepLimit)
                : await WatchOnUnixAsync(binaries, stepLimit, cancellationToken).ConfigureAwait(false);
        }
        catch (Win32Exception exception)
        {
            throw new ThrowawayServerException($"The server's watchdog does not start ({source}): {exception.Message}", exception);
        }
        try
        {
            var connectionString = await server.RunAsync(cancellationToken).ConfigureAwait(false);
            return new(connectionString, source, StartedServer.OwnDatabasePrefix, server.DisposeAsync);
        }
        catch
        {
            await server.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Closes the pipe, and waits until the watchdog has stopped the server and removed the folder. A watchdog whose step hangs is killed after the
    /// limit of a step.</summary>
    public async ValueTask DisposeAsync()
    {
        watchdog.StandardInput.Close();
        using var limit = new CancellationTokenSource(stepLimit);
        try
        {
            await watchdog.WaitForExitAsync(limit.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            watchdog.Kill(entireProcessTree: true);
            await watchdog.WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
        }

        var cleaned = OperatingSystem.IsWindows() || watchdog.ExitCode == 0;
        watchdog.Dispose();
        if (!cleaned)
        {
            // It was killed, so it did not clean up.
            using var cleanup = Process.Start(ServerUser.Start(
                "/bin/sh", "-c", $"exec >/dev/null 2>&1; dir=$2; {UnixCleanup}", "crawldata-cleanup", binaries.FileOf("pg_ctl"), folder))!;
            await cleanup.WaitForExitAsync().ConfigureAwait(false);
        }
    }

    private static async Task<LocalServer> WatchOnUnixAsync(PostgresBinaries binaries, TimeSpan stepLimit, CancellationToken cancellationToken)
    {
        var watchdog = Process.Start(
            ServerUser.Start("/bin/sh", "-c", UnixSession, "/bin/sh", "-c", UnixWatchdog, "crawldata-watchdog", binaries.FileOf("pg_ctl")))!;
        try
        {
            var folder = await watchdog.StandardOutput.ReadLineAsync(cancellationToken).ConfigureAwait(false);
            if (folder is null)
            {
                var error = await watchdog.StandardError.ReadToEndAsync(cancellationToken).ConfigureAwait(false);
                throw new ThrowawayServerException($"A folder for the server could not be made in the folder for temporary files: {error.Trim()}");
            }
            return new(binaries, watchdog, folder, stepLimit);
        }
        catch
        {
            watchdog.StandardInput.Close();
            watchdog.Dispose();
            throw;
        }
    }

    private static LocalServer WatchOnWindows(PostgresBinaries binaries, TimeSpan stepLimit)
    {
        var folder = Directory.CreateTempSubdirectory("crawldata-test-").FullName;
        var stop = $"""findstr . >nul & "{binaries.FileOf("pg_ctl")}" stop -D "{folder}\data" -m immediate >nul 2>&1 & rmdir /s /q "{folder}" """;
        return new(binaries, Process.Start(ServerUser.Piped(new("cmd.exe", $"/d /s /c \"{stop}\"")))!, folder, stepLimit);
    }

    private async Task<string> RunAsync(CancellationToken cancellationToken)
    {
        var data = Path.Combine(folder, "data");
        var passwordFile = Path.Combine(folder, "password");
        var log = Path.Combine(folder, "server.log");
        var password = RandomNumberGenerator.GetHexString(32);
        var initdb = $"{Quoted(binaries.FileOf("initdb"))} -D {Quoted(data)} --username=postgres --pwfile={Quoted(passwordFile)} --auth=scram-sha-256"
            + " --locale=C --encoding=UTF8 --no-sync --no-instructions";
        (string Name, string Value)[] settings = [.. ServerSettings.All, ("listen_addresses", "127.0.0.1"), ("unix_socket_directories", "")];

        await WriteAsync(passwordFile, [password], cancellationToken).ConfigureAwait(false);
        if (!await StepAsync("initdb", initdb, cancellationToken).ConfigureAwait(false))
        {
            throw await FailureAsync("initdb", cancellationToken).ConfigureAwait(false);
        }

        await DeleteAsync(passwordFile, cancellationToken).ConfigureAwait(false);
        await WriteAsync(
            Path.Combine(data, "postgresql.conf"), settings.Select(setting => $"{setting.Name} = '{setting.Value}'"), cancellationToken).ConfigureAwait(false);

        // A port that is free now may be taken when the server binds it. So there are several attempts.
        for (var attempt = 1; attempt <= PortAttempts; attempt++)
        {
            var port = FreePort();
            var start = $"{Quoted(binaries.FileOf("pg_ctl"))} start -w -D {Quoted(data)} -l {Quoted(log)} -o {Quoted($"-p {port}")}";
            if (await StepAsync("pg_ctl start", start, cancellationToken).ConfigureAwait(false))
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
        throw await FailureAsync("pg_ctl start", cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Adds lines to a file. It makes a file that does not exist.</summary>
    private async Task WriteAsync(string file, IEnumerable<string> lines, CancellationToken cancellationToken)
    {
        if (OperatingSystem.IsWindows())
        {
            await File.AppendAllLinesAsync(file, lines, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            var command = $"printf '%s\\n' {string.Join(' ', lines.Select(Quoted))} >>{Quoted(file)}";
            if (!await StepAsync("printf", command, cancellationToken).ConfigureAwait(false))
            {
                throw await FailureAsync($"Writing {file}", cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private async Task DeleteAsync(string file, CancellationToken cancellationToken)
    {
        if (OperatingSystem.IsWindows())
        {
            File.Delete(file);
        }
        else
        {
            await StepAsync("rm", $"rm -f {Quoted(file)}", cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Runs a command.</summary>
    /// <returns>Whether its exit code is 0.</returns>
    /// <exception cref="ThrowawayServerException">The command takes longer than the limit. It is killed.</exception>
    private async Task<bool> StepAsync(string step, string command, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(stepLimit);
        using var process = OperatingSystem.IsWindows()
            ? Process.Start(ServerUser.Piped(new("cmd.exe", $"/d /s /c \"{command} >>\"{Path.Combine(folder, "steps.log")}\" 2>&1 <nul\"")))!
            : null;
        try
        {
            if (process is not null)
            {
                await process.WaitForExitAsync(limit.Token).ConfigureAwait(false);
                return process.ExitCode == 0;
            }
            await watchdog.StandardInput.WriteLineAsync(command.AsMemory(), limit.Token).ConfigureAwait(false);
            await watchdog.StandardInput.FlushAsync(limit.Token).ConfigureAwait(false);
            return await watchdog.StandardOutput.ReadLineAsync(limit.Token).ConfigureAwait(false) == "0";
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // The watchdog waits for the step, so it is killed too.
            (process ?? watchdog).Kill(entireProcessTree: true);
            throw new ThrowawayServerException($"{step} has not ended within {stepLimit.TotalSeconds} s (server programs in {binaries.Folder}).");
        }
    }

    private async Task<ThrowawayServerException> FailureAsync(string step, CancellationToken cancellationToken)
    {
        var lines = new StringBuilder();
        if (OperatingSystem.IsWindows())
        {
            foreach (var log in Directory.GetFiles(folder, "*.log"))
            {
                lines.AppendJoin(Environment.NewLine, (await File.ReadAllLinesAsync(log, cancellationToken).ConfigureAwait(false)).TakeLast(10)).AppendLine();
            }
        }
        else
        {
            // The watchdog writes the lines, cleans up, and ends.
            await watchdog.StandardInput.WriteLineAsync(LogsStep.AsMemory(), cancellationToken).ConfigureAwait(false);
            await watchdog.StandardInput.FlushAsync(cancellationToken).ConfigureAwait(false);
            lines.Append(await watchdog.StandardOutput.ReadToEndAsync(cancellationToken).ConfigureAwait(false));
        }

        return new($"{step} failed (server programs in {binaries.Folder}):{Environment.NewLine}{lines.ToString().TrimEnd()}");
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
