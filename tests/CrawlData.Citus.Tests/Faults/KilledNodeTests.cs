using CrawlData.Citus.Tests.Clusters;

namespace CrawlData.Citus.Tests.Faults;

/// <summary>A node crashes during an append. All its databases restart with it.</summary>
[Category("Faults")]
[NonParallelizable]
[TestFixture(CitusLayout.TenantSchema)]
[TestFixture(CitusLayout.DistributedCrawls)]
public sealed class KilledNodeTests(CitusLayout layout) : ClusterFaultTest(layout)
{
    [Test]
    [NonParallelizable]
    public async Task A_node_crashes_during_an_append(
        [Values(
            ClusterFault.WorkerIsKilled,
            ClusterFault.WorkerIsKilledBeforeCommit,
            ClusterFault.CoordinatorIsKilled,
            ClusterFault.CoordinatorIsKilledBeforeCommit)] ClusterFault fault,
        [Values] AppendWay way)
    {
        await RunAsync(fault, way);
    }
}
