using System.Collections.Concurrent;
using System.Diagnostics;
using CrawlData.Tests.Faults;

namespace CrawlData.Tests.Workers;

/// <summary>A worker's process behind a proxy of its own. It is started again after it was killed or stopped.</summary>
internal sealed class WorkerProcess : IAsyncDisposable
{
    private static readonly TimeSpan LongestStop = TimeSpan.FromSeconds(60);

    private readonly FaultProxy proxy;
    private readonly string worker;
    private readonly string connectionString;
    private readonly ConcurrentQueue<string> output = [];
    private Process process;
    private Task reading;
    private bool hasEnded;

    public WorkerProcess(string worker, string serverConnectionString)
    {
        this.worker = worker;
        proxy = new FaultProxy(serverConnectionString);
        var own = "";
        proxy.CreateDataSource(serverConnectionString, builder =>
        {
            (builder.Timeout, builder.CommandTimeout, builder.CancellationTimeout) = (3, 3, -1);
            own = builder.ConnectionString;
        }).Dispose();
        connectionString = own;
        (process, reading) = Start();
    }

    /// <summary>The lines that the processes have written.</summary>
    public IEnumerable<string> Output => output;

    /// <summary>Kills the process, and starts the next one.</summary>
    public async Task KillAsync()
    {
        process.Kill();
        await EndAsync(expectSuccess: false);
        (process, reading) = Start();
    }

    /// <summary>Stops the process by SIGTERM, and starts the next one.</summary>
    public async Task RestartAsync()
    {
        await StopAsync();
        (process, reading) = Start();
    }

    public async Task StopAsync()
    {
        using (var kill = Process.Start("kill", ["-TERM", $"{process.Id}"]))
        {
            await kill.WaitForExitAsync();
        }

        await EndAsync(expectSuccess: true);
    }

    /// <summary>Cuts the process from the database for a while.</summary>
    /// <param name="duration">How long.</param>
    /// <param name="silently">Whether its connections go silent, and are not closed.</param>
    public async Task CutAsync(TimeSpan duration, bool silently)
    {
        proxy.Down = true;
        if (silently)
        {
            proxy.FreezeOpenConnections();
        }
        else
        {
            proxy.OnSent = (_, _) => Fault.CutBefore;
        }

        await Task.Delay(duration);
        proxy.OnSent = (_, _) => Fault.None;
        proxy.Down = false;
    }

    public async ValueTask DisposeAsync()
    {
        if (!hasEnded)
        {
            process.Kill();
            await reading;
            process.Dispose();
        }

        await proxy.DisposeAsync();
    }

    private (Process Process, Task Reading) Start()
    {
        hasEnded = false;
        var host = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";
        var started = Process.Start(new ProcessStartInfo(host, [typeof(WorkingProcess).Assembly.Location, "work", worker, connectionString])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        return (started, Task.WhenAll(ReadAsync(started.StandardOutput), ReadAsync(started.StandardError)));
    }

    private async Task ReadAsync(StreamReader reader)
    {
        while (await reader.ReadLineAsync() is { } line)
        {
            output.Enqueue(line);
        }
    }

    private async Task EndAsync(bool expectSuccess)
    {
        using var longest = new CancellationTokenSource(LongestStop);
        await process.WaitForExitAsync(longest.Token);
        await reading;

        // 143: SIGTERM came before the host was built.
        Assert.That(process.ExitCode, expectSuccess ? Is.AnyOf(0, 143) : Is.EqualTo(137), () => string.Join("\n", output.TakeLast(20)));
        process.Dispose();
        hasEnded = true;
    }
}
