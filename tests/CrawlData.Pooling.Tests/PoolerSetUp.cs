using CrawlData.Tests;

namespace CrawlData.Pooling.Tests;

/// <summary>Ends the run with one message where there is no pgbouncer or no server.</summary>
[SetUpFixture]
public sealed class PoolerSetUp : ThrowawayServerSetUp
{
    [OneTimeSetUp]
    public void FindPooler()
    {
        if (PgBouncer.Find() is null)
        {
            EndRun("pgbouncer is not installed: apt-get install pgbouncer");
        }
    }
}
