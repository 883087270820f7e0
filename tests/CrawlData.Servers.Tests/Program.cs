using CrawlData.Tests.Crawls;
using CrawlData.Tests.Workers;

namespace CrawlData.Tests;

/// <summary>Runs as a process that a test starts and kills. The test host does not call it.</summary>
internal static class Program
{
    /// <param name="arguments">What to run, and its arguments.</param>
    private static async Task<int> Main(string[] arguments) => arguments switch
    {
        ["spool", .. var rest] => await SpoolingProcess.RunAsync(rest),
        ["work", .. var rest] => await WorkingProcess.RunAsync(rest),
        _ => 2,
    };
}
