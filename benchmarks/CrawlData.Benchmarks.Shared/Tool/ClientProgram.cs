using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;
using Npgsql;

namespace CrawlData.Benchmarks.Tool;

/// <summary>A program that talks to the server, as a whole process.</summary>
/// <param name="name">What the report calls it.</param>
/// <param name="program">The program's file.</param>
/// <param name="arguments">The arguments before those of a run.</param>
public sealed partial class ClientProgram(string name, string program, params string[] arguments)
{
    private const int Children = -1;

    private readonly List<TimeSpan> processorTimes = [];

    public string Name { get; } = name;

    /// <summary>Gets PostgreSQL's own client; null when this machine has none.</summary>
    public static ClientProgram? Psql()
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo("psql", "--version") { RedirectStandardOutput = true })!;
            process.WaitForExit();
            return new ClientProgram("psql", "psql", "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1");
        }
        catch (Win32Exception)
        {
            return null;
        }
    }

    /// <summary>Gets a build of the tool.</summary>
    public static ClientProgram CrawlData(string name, string folder) => DotNet(name, Path.Combine(folder, "CrawlData.Cli.dll"));

    /// <summary>Gets a program of .NET.</summary>
    public static ClientProgram DotNet(string name, string assembly) =>
        new(name, Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", assembly);

    /// <summary>Gets the median of the processor times of the last runs; null where the system does not tell.</summary>
    public TimeSpan? ProcessorTime(int runs) =>
        processorTimes.Count == 0 ? null : processorTimes.TakeLast(runs).Order().ElementAt(Math.Min(runs, processorTimes.Count) / 2);

    /// <summary>Runs the program to its end.</summary>
    /// <exception cref="InvalidOperationException">It failed.</exception>
    public async Task RunAsync(string connectionString, params string[] runArguments)
    {
        var start = new ProcessStartInfo(program, [.. arguments, .. runArguments]) { RedirectStandardError = true, RedirectStandardOutput = true };
        var settings = new NpgsqlConnectionStringBuilder(connectionString);
        start.Environment["CRAWLDATA_CONNECTION"] = connectionString;
        start.Environment["PGHOST"] = settings.Host;
        start.Environment["PGPORT"] = $"{settings.Port}";
        start.Environment["PGUSER"] = settings.Username;
        start.Environment["PGPASSWORD"] = settings.Password;
        start.Environment["PGDATABASE"] = settings.Database;
        var before = ProcessorTimeOfChildren();
        using var process = Process.Start(start)!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        await output;
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"{Name} ended with exit code {process.ExitCode}: {await error}");
        }

        if (ProcessorTimeOfChildren() - before is { } time)
        {
            processorTimes.Add(time);
        }
    }

    private static TimeSpan? ProcessorTimeOfChildren()
    {
        if (!OperatingSystem.IsLinux())
        {
            return null;
        }

        // struct rusage on 64-bit Linux: seconds and microseconds of user and of system time, and 14 numbers more.
        var usage = new long[18];
        return GetResourceUsage(Children, usage) == 0
            ? TimeSpan.FromSeconds(usage[0] + usage[2]) + TimeSpan.FromMicroseconds(usage[1] + usage[3])
            : null;
    }

    [LibraryImport("libc", EntryPoint = "getrusage")]
    private static partial int GetResourceUsage(int who, [In, Out] long[] usage);
}
