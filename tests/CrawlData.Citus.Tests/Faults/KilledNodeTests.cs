using CrawlData.Citus.Tests.Clusters;

namespace CrawlData.Citus.Tests.Faults;

/// <summary>A worker crashes during a commit. All its databases restart with it.</summary>
[Category("Faults")]
[NonParallelizable]
[TestFixture(CitusLayout.TenantSchema)]
public sealed class KilledNodeTests(CitusLayout layout) : ClusterFaultTest(layout)
{
    [Test]
    [NonParallelizable]
    public Task A_worker_crashes_between_PREPARE_and_COMMIT_PREPARED([Values] AppendWay way) => RunAsync(ClusterFault.WorkerIsKilled, way);
}
