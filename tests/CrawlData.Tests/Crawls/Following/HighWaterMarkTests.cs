using CrawlData.Crawls;
using Npgsql;
using NUnit.Framework.Constraints;

namespace CrawlData.Tests.Crawls;

/// <summary>The high-water mark checks the cursor and the newest id against the sequence.</summary>
public sealed class HighWaterMarkTests : EmptiedDatabaseTest
{
    [Test]
    public async Task A_database_without_events_refuses_the_cursor_of_another()
    {
        await ExecuteAsync("truncate crawl_runs restart identity cascade");

        await Assert.ThatAsync(() => Events.ListAllAsync(CursorAfter(7)), Throws.InstanceOf<InvalidValueException>().With.Property("Field").EqualTo("cursor"));
        Assert.That((await Events.ListAllAsync()).Events, Is.Empty);
        Assert.That((await Events.ListAllAsync(CursorAfter(0))).Events, Is.Empty);
    }

    /// <summary>Events with lower ids would come after those that readers have passed.</summary>
    [Test]
    public async Task A_sequence_that_was_set_back_is_reported_and_can_be_set_again()
    {
        var crawl = await CreateCrawlAsync();
        var ids = await Events.AppendAsync(crawl, EventsOf(3));
        await using var following = Events.FollowAllAsync().GetAsyncEnumerator();
        await following.MoveNextAsync();
        var cursor = following.Current.Cursor;

        await ExecuteAsync("select setval('crawl_events_id_seq', 1)");

        IResolveConstraint Reported() => Throws.InvalidOperationException.With.Message.Contains($"is at 1, behind the newest id {ids[2]}");
        await Assert.ThatAsync(() => following.MoveNextAsync().AsTask().WaitAsync(Wait.Longest), Reported());
        await Assert.ThatAsync(() => Events.ListAllAsync(cursor), Reported());
        await Assert.ThatAsync(() => Events.ListAllAsync(), Reported());

        await ExecuteAsync("select setval('crawl_events_id_seq', (select max(id) from crawl_events))");
        var id = await Events.AppendAsync(crawl, Event(4));
        Assert.That((await Events.ListAllAsync(cursor)).Events.Select(one => one.Id), Is.EqualTo(new[] { id }));
    }

    [Test]
    public async Task A_sequence_that_was_set_back_ends_a_follower_of_one_crawl()
    {
        var crawl = await CreateCrawlAsync();
        var ids = await Events.AppendAsync(crawl, EventsOf(3));
        var often = new CrawlEventFollowOptions { PollInterval = TimeSpan.FromMilliseconds(1) };
        await using var following = Events.FollowAsync(crawl, ids[1], often).GetAsyncEnumerator();
        Assert.That(await following.MoveNextAsync(), Is.True);

        await ExecuteAsync("select setval('crawl_events_id_seq', @last)", new { last = ids[0] });

        await Assert.ThatAsync(
            () => following.MoveNextAsync().AsTask().WaitAsync(Wait.Longest),
            Throws.InvalidOperationException.With.Message.Contains($"is at {ids[0]}, behind the newest id {ids[2]}"));
        await Assert.ThatAsync(() => Events.FollowAsync(crawl, ids[2]).AnyAsync().AsTask(), Throws.InvalidOperationException, "a reader that starts again");
        await ExecuteAsync("select setval('crawl_events_id_seq', (select max(id) from crawl_events))");
    }

    [Test]
    public async Task A_role_without_rights_on_the_sequence_follows_a_crawl()
    {
        var crawl = await CreateCrawlAsync();
        await Events.AppendAsync(crawl, EventsOf(3));
        await Runs.CancelAsync(crawl);
        var role = $"crawldata_reader_{Guid.NewGuid():N}";
        await ExecuteAsync($"create role {role} login password 'of a test'; grant select on crawl_runs, crawl_events to {role}");
        try
        {
            await using var dataSource = NpgsqlDataSource.Create(
                new NpgsqlConnectionStringBuilder(Database.ConnectionString) { Username = role, Password = "of a test", Pooling = false });

            Assert.That(await new CrawlEventRepository(dataSource).FollowAsync(crawl, afterId: 1).CountAsync(), Is.GreaterThanOrEqualTo(2));
        }
        finally
        {
            await ExecuteAsync($"drop owned by {role}; drop role {role}");
        }
    }

    /// <summary>A subscriber of logical replication has the rows, and a sequence that gave no id.</summary>
    [Test]
    public async Task A_sequence_that_was_never_used_beside_events_is_reported()
    {
        var crawl = await CreateCrawlAsync();
        await ExecuteAsync("select setval('crawl_events_id_seq', 1, false)");
        await ExecuteAsync("insert into crawl_events (id, crawl_id, event_type, payload) values (5, @crawl, 'step', '{}')", new { crawl });

        await Assert.ThatAsync(() => Events.ListAllAsync(), Throws.InvalidOperationException.With.Message.Contains("is at 0, behind the newest id 5"));
    }

    /// <summary>A server that a router chose, or a promoted standby, may know fewer ids than the one that answered before. It draws them again.</summary>
    [Test]
    public async Task On_a_server_that_draws_ids_up_to_the_mark_again_a_reader_waits_for_them()
    {
        var poll = TimeSpan.FromMilliseconds(3);
        var waits = new[] { 1, 2, 4, 8, 16 }.Select(milliseconds => TimeSpan.FromMilliseconds(milliseconds)).ToList();
        var time = new TimeWithoutPolls([.. waits.Append(poll).Select(duration => (duration, duration))]);
        var events = new CrawlEventRepository(DataSource, timeProvider: time);
        var (crawl, other) = (await CreateCrawlAsync(), await CreateCrawlAsync());
        await Events.AppendAsync(crawl, EventsOf(3));
        await using var following = events.FollowAllAsync(options: new CrawlEventFollowOptions { PageSize = 1, PollInterval = poll }).GetAsyncEnumerator();
        await following.MoveNextAsync();
        var first = following.Current.Events.Single().Id;
        await ExecuteAsync("delete from crawl_events");
        await ExecuteAsync("select setval('crawl_events_id_seq', @first)", new { first });
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await Events.AppendAsync(crawl, Event(4), transaction);

        var next = following.MoveNextAsync().AsTask();
        await time.Started.UntilCountAsync(time.Started.Count + 2);
        await Events.AppendAsync(other, Event(5));
        await time.Started.UntilCountAsync(time.Started.Count + 3);
        await transaction.CommitAsync();

        await next;
        Assert.That(following.Current.Events.Single().Id, Is.EqualTo(first + 1));
    }
}
