using CrawlData.Crawls;
using Npgsql;

namespace CrawlData.Tests.Crawls;

/// <summary>Followers with prepared statements, while a migration changes a column's type.</summary>
public sealed class OutdatedPlanTests : EmptiedDatabaseTest
{
    [TestCase(false, "varchar(60)")]
    [TestCase(true, "varchar(70)")]
    public async Task A_follower_with_prepared_statements_goes_on_after_a_column_changes_its_type(bool all, string type)
    {
        await using var dataSource = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(Database.ConnectionString) { MaxAutoPrepare = 20, AutoPrepareMinUsages = 1 });
        var events = new CrawlEventRepository(dataSource);
        var crawl = await CreateCrawlAsync();
        await Events.AppendAsync(crawl, Event(1));
        await using var following = (all ? events.FollowAllAsync().SelectMany(batch => batch.Events) : events.FollowAsync(crawl)).GetAsyncEnumerator();
        await following.MoveNextAsync();

        await ExecuteAsync($"alter table crawl_events alter event_type type {type}");
        DataSource.Clear();
        var id = await Events.AppendAsync(crawl, Event(2));

        Assert.That(await following.MoveNextAsync().AsTask().WaitAsync(Wait.Longest));
        Assert.That(following.Current.Id, Is.EqualTo(id));
    }
}
