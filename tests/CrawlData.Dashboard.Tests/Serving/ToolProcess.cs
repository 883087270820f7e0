using System.Diagnostics;
using CrawlData.Tests.Cli;

namespace CrawlData.Dashboard.Tests.Serving;

/// <summary>A process of the tool that serves until a signal ends it. A test that fails ends it too.</summary>
internal sealed class ToolProcess(string? connection, string[] arguments, IReadOnlyDictionary<string, string?>? environment = null) : IDisposable
{
    public Process Process { get; } = Tool.Start(connection, arguments, environment);

    public void Dispose()
    {
        if (!Process.HasExited)
        {
            Process.Kill();
        }

        Process.Dispose();
    }
}
