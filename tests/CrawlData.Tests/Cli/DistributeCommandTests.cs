using CrawlData.Testing;

namespace CrawlData.Tests.Cli;

/// <summary>The command without a cluster. The tests on a cluster have the others.</summary>
[Parallelizable(ParallelScope.All)]
public sealed class DistributeCommandTests
{
    [Test]
    public async Task Without_Citus_it_changes_nothing_and_says_why([Values] bool dryRun)
    {
        await using var database = await ThrowawayDatabase.StartAsync(new ThrowawayDatabaseOptions { Logger = TestLog.Instance });

        var result = await Tool.RunAsync(database.ConnectionString, "distribute", dryRun ? "--dry-run" : "--yes");

        Assert.That((result.ExitCode, result.Output), Is.EqualTo((1, "")));
        Assert.That(result.Error, Does.StartWith("crawldata: The database has no extension citus of version 12 or later"));
    }

    [TestCase("0")]
    [TestCase("64001")]
    [TestCase("many")]
    public async Task A_number_of_shards_out_of_range_is_refused(string shards)
    {
        var result = await Tool.RunAsync("Host=localhost", "distribute", "--shards", shards);

        Assert.That((result.ExitCode, result.Output), Is.EqualTo((2, "")));
        Assert.That(result.Error, Does.Contain("--shards"));
    }
}
