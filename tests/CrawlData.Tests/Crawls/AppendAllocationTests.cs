using System.Globalization;
using CrawlData.Tests.Cli;

namespace CrawlData.Tests.Crawls;

/// <summary>What an append allocates does not depend on the machine. It is counted in a process that does nothing else. The tests are built without
/// optimization, where an asynchronous method allocates more. A release allocates about 3,000 bytes for one event, 65 bytes an event for 100, and 25 for
/// 1,000: the benchmarks' gate has these limits.</summary>
public sealed class AppendAllocationTests : DatabaseTest
{
    [TestCase(1, 9_000)]
    [TestCase(100, 115)]
    [TestCase(1_000, 115)]
    public async Task An_append_allocates_little(int count, int most)
    {
        var result = await Tool.RunTestsProgramAsync(Database.ConnectionString, $"{AppendAllocationScenario.Argument}={count}");

        Assert.That(result.ExitCode, Is.Zero, result.Error);
        var bytes = long.Parse(result.Output, CultureInfo.InvariantCulture);
        Assert.That(bytes, Is.GreaterThan(0));
        Assert.That(bytes / count, Is.LessThanOrEqualTo(most), $"{bytes} bytes for {count} events");
    }
}
