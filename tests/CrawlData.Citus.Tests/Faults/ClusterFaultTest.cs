using System.Collections.Concurrent;
using CrawlData.Citus.Tests.Clusters;
using CrawlData.Tests.Faults;

namespace CrawlData.Citus.Tests.Faults;

/// <summary>Counts what happens to events when the commit of an append meets a fault, and prints the counts at the end.</summary>
public abstract class ClusterFaultTest(CitusLayout layout)
{
    private const int Rounds = 3;

    private readonly ConcurrentBag<(FaultCounts Counts, int Hits)> counted = [];

    [OneTimeTearDown]
    public void Print() =>
        TestContext.Progress.WriteLine(string.Join('\n', counted
            .OrderBy(one => one.Counts.Fault, StringComparer.Ordinal)
            .Select(one => $"{one.Counts} | {one.Hits} of {Rounds}")
            .Prepend($"{FaultCounts.Header} | faults")
            .Prepend($"\n{layout}")));

    /// <summary>Whether each append sends the message. A transaction commits in two phases, and so does an append to crawls of several nodes.</summary>
    private bool Occurs(ClusterFault fault, AppendWay way)
    {
        var isOfTwoPhases = way == AppendWay.Transaction || (layout == CitusLayout.DistributedCrawls && way is (AppendWay.TwoCrawls or AppendWay.Writer));
        return fault switch
        {
            ClusterFault.PrepareIsLost or ClusterFault.AnswerToPrepareIsLost => isOfTwoPhases,
            ClusterFault.CommitPreparedIsLost or ClusterFault.WorkerIsKilled => isOfTwoPhases,
            ClusterFault.CommitIsLost or ClusterFault.AnswerToCommitIsLost => !isOfTwoPhases,
            _ => true,
        };
    }

    private protected async Task RunAsync(ClusterFault fault, AppendWay way)
    {
        await using var cluster = await FaultyCluster.StartAsync(layout);
        var rounds = new FaultRounds(cluster, layout, fault, way);
        var counts = await rounds.RunAsync(Rounds);
        counted.Add((counts, rounds.Hits));
        TestContext.Out.WriteLine($"{FaultCounts.Header}\n{counts} | {rounds.Hits} of {Rounds}");
        Assert.That(
            (counts.Lost, counts.Duplicated, counts.OutOfOrder, counts.Unexpected, counts.Missed, counts.Misdelivered), Is.EqualTo((0, 0, 0, 0, 0, 0)));
        Assert.That(rounds.Hits == Rounds || !Occurs(fault, way), "the fault occurred in each round");
        if (way != AppendWay.Transaction)
        {
            Assert.That((counts.Refused, counts.Unknown), Is.EqualTo((0, 0)), "all events were acknowledged in the end");
        }
    }
}
