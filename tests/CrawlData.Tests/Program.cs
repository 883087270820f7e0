using System.Globalization;
using CrawlData.Tests.Crawls;

namespace CrawlData.Tests;

/// <summary>Runs a scenario in a process of its own. The test host does not call it.</summary>
internal static class Program
{
    /// <param name="arguments">A connection string, then switches such as <c>Npgsql.EnableAssertions=true</c>; or <c>append=1</c> for the number of events of
    /// an append.</param>
    private static async Task Main(string[] arguments)
    {
        if (arguments is [var connectionString, var append] && append.Split('=') is [AppendAllocationScenario.Argument, var count])
        {
            await AppendAllocationScenario.RunAsync(connectionString, int.Parse(count, CultureInfo.InvariantCulture));
            return;
        }

        // Npgsql reads each switch once, when its type is first used.
        foreach (var (name, value) in arguments.Skip(1).Select(argument => argument.Split('=')).Select(parts => (parts[0], bool.Parse(parts[1]))))
        {
            AppContext.SetSwitch(name, value);
        }

        await DriverSwitchScenario.RunAsync(arguments[0]);
    }
}
