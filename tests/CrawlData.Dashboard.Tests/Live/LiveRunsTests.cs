using CrawlData.Crawls;
using CrawlData.Dashboard.Live;
using CrawlData.Dashboard.Reads;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace CrawlData.Dashboard.Tests.Live;

public sealed class LiveRunsTests
{
    [Test]
    public async Task A_run_that_failed_is_begun_anew_while_a_viewer_of_it_has_not_left()
    {
        await using var dataSource = NpgsqlDataSource.Create("Host=127.0.0.1");
        var runs = new LiveRuns(new LiveSource
        {
            ReadNewestAsync = (_, _) => Task.FromException<Page<CrawlEvent>?>(new NotSupportedException("of the test")),
            Events = new CrawlEventRepository(dataSource),
            Options = new CrawlEventFollowOptions(),
            Redaction = new Redaction(new CrawlDataDashboardOptions()),
            Time = TimeProvider.System,
            Logger = NullLogger.Instance,
        });
        var id = Guid.NewGuid();
        using var first = runs.Enter(id);
        await Assert.ThatAsync(() => first.Run.Started, Throws.InstanceOf<NotSupportedException>());

        using var second = runs.Enter(id);

        Assert.That(second.Run, Is.Not.SameAs(first.Run));
    }
}
