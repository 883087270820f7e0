using CrawlData.Citus.Tests.Clusters;

namespace CrawlData.Citus.Tests.Faults;

/// <summary>A node crashes during an append. All its databases restart with it.</summary>
[Category("Faults")]
[NonParallelizable]
[TestFixture(CitusLayout.TenantSchema)]
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
        var counts = await RunAsync(fault, way);

        Assert.That((counts.Refused, counts.Unknown), Is.EqualTo((0, 0)), "all events were acknowledged in the end");
    }
}
