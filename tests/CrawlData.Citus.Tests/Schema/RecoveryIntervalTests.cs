using CrawlData.Citus.Tests.Clusters;
using CrawlData.Diagnostics;
using CrawlData.Schema;
using CrawlData.Tests;

namespace CrawlData.Citus.Tests.Schema;

/// <summary>The interval of recovery is a setting of the server, so no other test runs at the same time.</summary>
[NonParallelizable]
public sealed class RecoveryIntervalTests
{
    [Test]
    [NonParallelizable]
    public async Task A_long_interval_is_found()
    {
        await using var database = await CitusDatabase.StartAsync(CitusLayout.TenantSchema);
        var cluster = await CitusCluster.FindAsync();
        Assert.That(await new SchemaMigrator(database.DataSource).VerifySchemaAsync(), Is.Empty);
        try
        {
            await cluster.Coordinator.ExecuteAsync(cluster, "postgres", "alter system set citus.recover_2pc_interval to '60s'", "select pg_reload_conf()");
            await Wait.UntilAsync(database.DataSource, "select setting = '60000' from pg_settings where name = 'citus.recover_2pc_interval'");

            var found = await new DatabaseDoctor(database.DataSource).CheckAllAsync();

            Assert.That(
                found.Where(finding => finding.Check == "citus").Select(finding => $"{finding}"),
                Has.One.StartsWith("citus.recover_2pc_interval is at 60 s."));
            Assert.That(
                (await new SchemaMigrator(database.DataSource).VerifySchemaAsync()).Select(difference => difference.Element),
                Is.EqualTo(new[] { "citus.recover_2pc_interval" }));
        }
        finally
        {
            await cluster.Coordinator.ExecuteAsync(cluster, "postgres", "alter system reset citus.recover_2pc_interval", "select pg_reload_conf()");
        }
    }
}
