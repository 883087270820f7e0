using CrawlData.Citus.Tests.Clusters;
using CrawlData.Tests;

namespace CrawlData.Citus.Tests;

/// <summary>Ends the run with one message where there is no cluster.</summary>
[SetUpFixture]
public sealed class CitusSetUp : ThrowawayServerSetUp
{
    [OneTimeSetUp]
    public async Task FindClusterAsync()
    {
        try
        {
            await CitusCluster.FindAsync();
        }
        catch (CitusClusterException exception)
        {
            EndRun(exception.Message);
        }
    }
}
