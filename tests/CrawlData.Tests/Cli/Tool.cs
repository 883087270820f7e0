using System.Diagnostics;
using System.IO.Compression;
using System.Text;

namespace CrawlData.Tests.Cli;

/// <summary>Runs the built tool as a process of its own, with its output redirected.</summary>
internal static class Tool
{
    /// <summary>Gets the time limit of one run. On a busy machine the start of a process takes long, and some tests start several at once.</summary>
    public static TimeSpan Timeout { get; } = 2 * Wait.Longest;

    /// <summary>Gets the names of the embedded recordings: of a crawl, and of audits.</summary>
    public static string[] EmbeddedRecordings { get; } = ["postgresql-docs.crawl.ndjson.gz", "postgresql-docs.audit.ndjson.gz"];

    private static string Host { get; } = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";

    /// <summary>Opens an embedded recording, decompressed.</summary>
    public static Stream OpenRecording(string name) =>
        new GZipStream(System.Reflection.Assembly.Load("CrawlData.Cli").GetManifestResourceStream(name)!, CompressionMode.Decompress);

    public static Task<ToolResult> RunAsync(string? connection, params string[] arguments) => RunAsync(connection, "", arguments);

    public static async Task<ToolResult> RunAsync(string? connection, string input, string[] arguments)
    {
        using var process = Start(connection, arguments);
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        var exitCode = await WaitAsync(process);
        return new ToolResult { ExitCode = exitCode, Output = await output, Error = await error };
    }

    public static Process Start(string? connection, string[] arguments, IReadOnlyDictionary<string, string?>? environment = null) =>
        Start(Host, [Path.Combine(AppContext.BaseDirectory, "CrawlData.Cli.dll"), .. arguments], connection, environment);

    /// <summary>Runs <see cref="Program"/> of the tests themselves, in a process of its own.</summary>
    public static async Task<ToolResult> RunTestsProgramAsync(params string[] arguments)
    {
        using var process = Start(Host, [Path.Combine(AppContext.BaseDirectory, "CrawlData.Tests.dll"), .. arguments], null, null);
        process.StandardInput.Close();
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        return new ToolResult { ExitCode = await WaitAsync(process, 4 * Timeout), Output = await output, Error = await error };
    }

    /// <summary>Starts the program that the build makes of the project, as <c>dotnet run</c> does.</summary>
    public static Process StartAsDotNetRun(string? connection, params string[] arguments) =>
        Start(
            Path.Combine(AppContext.BaseDirectory, "CrawlData.Cli"),
            arguments,
            connection,
            new Dictionary<string, string?> { ["DOTNET_ROOT"] = Path.GetDirectoryName(Host) });

    private static Process Start(string program, string[] arguments, string? connection, IReadOnlyDictionary<string, string?>? environment)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardInputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false),
            StandardOutputEncoding = Encoding.UTF8,
            StandardErrorEncoding = Encoding.UTF8,
        };
        start.Environment["CRAWLDATA_CONNECTION"] = connection;
        foreach (var (name, value) in environment ?? new Dictionary<string, string?>())
        {
            start.Environment[name] = value;
        }

        return Process.Start(start)!;
    }

    /// <summary>Sends SIGINT, as Ctrl+C does, or another signal.</summary>
    public static async Task InterruptAsync(Process process, string signal = "INT")
    {
        using var kill = Process.Start("kill", [$"-{signal}", $"{process.Id}"]);
        await kill.WaitForExitAsync();
    }

    /// <summary>Runs the tool on a terminal of 200 columns.</summary>
    /// <returns>What the terminal receives, both outputs in one.</returns>
    public static Task<string> RunOnTerminalAsync(string connection, params string[] arguments) => RunOnTerminalAsync(connection, "", "", arguments);

    /// <inheritdoc cref="RunOnTerminalAsync(string, string[])"/>
    /// <param name="connection">The connection.</param>
    /// <param name="keys">What a user types.</param>
    /// <param name="rest">The rest of the shell's line, such as a pipe to another program.</param>
    /// <param name="arguments">The tool's arguments.</param>
    public static async Task<string> RunOnTerminalAsync(string connection, string keys, string rest, string[] arguments)
    {
        string[] words = [Host, Path.Combine(AppContext.BaseDirectory, "CrawlData.Cli.dll"), .. arguments];
        var command = string.Join(' ', words.Select(word => $"'{word}'")) + rest;
        using var script = Start("script", ["-qec", $"stty cols 200; {command}", "/dev/null"], connection, null);
        await script.StandardInput.WriteAsync(keys);
        script.StandardInput.Close();
        var output = script.StandardOutput.ReadToEndAsync();
        await WaitAsync(script);
        return await output;
    }

    public static async Task<int> WaitAsync(Process process, TimeSpan? longest = null)
    {
        using var limit = new CancellationTokenSource(longest ?? Timeout);
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill();
            throw;
        }

        return process.ExitCode;
    }
}
