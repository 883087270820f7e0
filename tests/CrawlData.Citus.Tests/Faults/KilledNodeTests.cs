using CrawlData.Citus.Tests.Clusters;

namespace CrawlData.Citus.Tests.Faults;

/// <summary>A node crashes during a commit. All databases of the node restart with it.</summary>
[Category("Faults")]
[NonParallelizable]
[TestFixture(CitusLayout.TenantSchema)]
public sealed class KilledNodeTests(CitusLayout layout) : ClusterFaultTest(layout)
{
    [Test]
    [NonParallelizable]
    public Task A_node_crashes_during_a_commit(
        [Values(ClusterFault.CoordinatorIsKilled, ClusterFault.CoordinatorIsKilledAndCommitIsLost, ClusterFault.WorkerIsKilled)] ClusterFault fault,
        [Values] AppendWay way) => RunAsync(fault, way);
}
