using CrawlData.Citus.Tests.Clusters;

namespace CrawlData.Citus.Tests.Faults;

/// <summary>A message of an append or of its commit is lost.</summary>
[Category("Faults")]
[TestFixture(CitusLayout.TenantSchema)]
[TestFixture(CitusLayout.DistributedCrawls)]
public sealed class CommitFaultTests(CitusLayout layout) : ClusterFaultTest(layout)
{
    [Test]
    public async Task A_message_of_an_append_is_lost(
        [Values(
            ClusterFault.StatementIsLost,
            ClusterFault.AnswerToStatementIsLost,
            ClusterFault.ClientIsCutDuringCommit,
            ClusterFault.ClientIsCutAfterCommit,
            ClusterFault.CommitIsLost,
            ClusterFault.AnswerToCommitIsLost,
            ClusterFault.PrepareIsLost,
            ClusterFault.AnswerToPrepareIsLost,
            ClusterFault.CommitPreparedIsLost)] ClusterFault fault,
        [Values] AppendWay way)
    {
        await RunAsync(fault, way);
    }
}
