using CrawlData.Crawls;
using CrawlData.Tests.Schema;
using Examples;

namespace CrawlData.Tests.Documentation;

public sealed class QuickStartTests : MigratorTest
{
    [Test]
    public async Task The_quick_start_stores_a_completed_run_with_one_event()
    {
        await QuickStart.RunAsync([Database.ConnectionString]);

        var run = (await new CrawlRunRepository(DataSource).ListAsync()).Items.Single();
        Assert.That(run.Status, Is.EqualTo(CrawlStatus.Completed));
        Assert.That(await new CrawlEventRepository(DataSource).CountAsync(run.Id), Is.EqualTo(1));
    }
}
