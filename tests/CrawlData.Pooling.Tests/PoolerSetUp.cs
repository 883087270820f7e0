using CrawlData.Tests;

namespace CrawlData.Pooling.Tests;

/// <summary>Ends the run with one message where there is no pooler or no server.</summary>
[SetUpFixture]
public sealed class PoolerSetUp : ThrowawayServerSetUp
{
    [OneTimeSetUp]
    public void FindPoolers()
    {
        if (PgBouncer.Find() is null)
        {
            EndRun("pgbouncer is not installed: apt-get install pgbouncer");
        }

        if (PgPool.Find() is null)
        {
            EndRun("pgpool is not installed: apt-get install pgpool2");
        }
    }
}
