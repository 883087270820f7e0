using System.Diagnostics;
using System.Globalization;
using CrawlData.Testing;
using CrawlData.Tests.Cli;
using CrawlData.Tests.Servers;

namespace CrawlData.Tests.Testing;

[Platform(Exclude = "Win", Reason = "the watchdog is another program there")]
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public sealed class KilledProcessTests
{

    /// <summary>Goes red without the watchdog: the server and its folder then stay.</summary>
    [Test]
    public async Task A_killed_process_leaves_no_server_running_and_no_folder()
    {
        var binaries = await RestartableServer.FindBinariesAsync();

        var folder = Directory.CreateTempSubdirectory("crawldata-killed-");
        File.SetUnixFileMode(folder.FullName, (UnixFileMode)0x1FF);
        using var process = Tool.Start(null, ["demo", "-"], new Dictionary<string, string?>
        {
            [ServerSearch.ConnectionVariable] = null,
            [ServerSearch.ImageVariable] = null,
            [ServerSearch.BinariesVariable] = binaries.Folder,
            ["TMPDIR"] = folder.FullName,
        });
        try
        {
            // The tool's server is ready, and the tool waits for a recording on its standard input.
            await Wait.UntilAsync(() => Task.FromResult(ProcessIdOfServer(folder) is not null), "the server is ready");
            var server = int.Parse(ProcessIdOfServer(folder)!, CultureInfo.InvariantCulture);
            Assert.That(IsRunning(server));

            process.Kill();
            await process.WaitForExitAsync();

            await Wait.UntilAsync(
                () => Task.FromResult(!IsRunning(server) && folder.GetDirectories("crawldata-test-*").Length == 0), "the server is gone");
        }
        finally
        {
            process.Kill();
            folder.Delete(recursive: true);
        }
    }

    /// <summary>Whether a process runs. One that has ended, and that no parent has waited for, does not: in a container there may be no such parent.</summary>
    internal static bool IsRunning(int processId)
    {
        try
        {
            return OperatingSystem.IsLinux()
                ? !File.ReadAllText($"/proc/{processId}/stat").Contains(") Z ", StringComparison.Ordinal)
                : Process.GetProcesses().Any(process => process.Id == processId);
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static string? ProcessIdOfServer(DirectoryInfo folder)
    {
        try
        {
            return folder.GetFiles("postmaster.pid", SearchOption.AllDirectories).Select(file => File.ReadAllLines(file.FullName))
                .FirstOrDefault(lines => lines.Length >= 8 && lines[7].StartsWith("ready", StringComparison.Ordinal))?[0];
        }
        catch (IOException)
        {
            // The file of initdb's own server, which has just ended.
            return null;
        }
    }
}
