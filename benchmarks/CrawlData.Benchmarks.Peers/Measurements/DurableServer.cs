using CrawlData.Testing;

namespace CrawlData.Benchmarks.Peers.Measurements;

/// <summary>The server of a report with fsync on. It runs until this process ends, and its watchdog stops it then.</summary>
internal static class DurableServer
{
    // The reference keeps the watchdog's pipe open: the watchdog stops the server when the pipe is finalized.
    private static RestartableServer? server;

    /// <summary>Gets the file system of the data folder; null without <see cref="StartAsync"/>.</summary>
    public static string? FileSystem => server is null ? null : new DriveInfo(server.Folder).DriveFormat;

    /// <summary>Starts the server and makes it the server of all <see cref="ThrowawayDatabase"/>s of this process.</summary>
    /// <exception cref="InvalidOperationException">This machine has no server programs.</exception>
    public static async Task StartAsync()
    {
        server = await RestartableServer.StartAsync(fsync: true)
            ?? throw new InvalidOperationException("--fsync needs PostgreSQL's server programs on this machine.");
        Environment.SetEnvironmentVariable(ServerSearch.ConnectionVariable, server.ConnectionString);
    }
}
