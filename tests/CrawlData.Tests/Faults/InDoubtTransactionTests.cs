using CrawlData.Crawls;
using CrawlData.Testing;
using Npgsql;

namespace CrawlData.Tests.Faults;

/// <summary>A lost COMMIT is verified by its transaction, and not by what its row looks like.</summary>
public sealed class InDoubtTransactionTests
{
    [Test]
    public async Task An_append_whose_rows_a_trigger_stamps_is_stored_once([Values(1, 3, 1_000)] int count)
    {
        await using var database = await ThrowawayDatabase.StartAsync(new ThrowawayDatabaseOptions { Logger = TestLog.Instance });
        var crawl = await CreateCrawlAsync(database.DataSource);
        await ExecuteAsync(
            database.DataSource,
            """
            create function stamp() returns trigger language plpgsql as $$ begin new.created_at := clock_timestamp(); return new; end $$;
            create trigger stamp before insert on crawl_events for each row execute function stamp()
            """);

        var ids = await AppendWithLostAnswerAsync(database, crawl, count, onVerify: () => { });

        Assert.That(await new CrawlEventRepository(database.DataSource).StreamAsync(crawl).Select(one => one.Id).ToListAsync(), Is.EqualTo(ids));
    }

    [Test]
    public async Task An_append_whose_rows_are_deleted_before_it_is_verified_is_stored_once([Values(1, 1_000)] int count)
    {
        await using var database = await ThrowawayDatabase.StartAsync(new ThrowawayDatabaseOptions { Logger = TestLog.Instance });
        var crawl = await CreateCrawlAsync(database.DataSource);
        var deleted = 0;

        var ids = await AppendWithLostAnswerAsync(database, crawl, count, onVerify: () =>
        {
            using var delete = database.DataSource.CreateCommand("delete from crawl_events");
            deleted += delete.ExecuteNonQuery();
        });

        Assert.That(ids, Has.Count.EqualTo(count));
        Assert.That(deleted, Is.EqualTo(count));
        Assert.That(await new CrawlEventRepository(database.DataSource).CountAsync(crawl), Is.Zero, "nothing is appended again");
    }

    [Test]
    public async Task A_backend_that_waits_for_its_lost_client_is_terminated_with_track_activities_off()
    {
        await using var database = await ThrowawayDatabase.StartAsync(new ThrowawayDatabaseOptions { Logger = TestLog.Instance });
        await ExecuteAsync(
            database.DataSource, $"alter database {new NpgsqlConnectionStringBuilder(database.ConnectionString).Database} set track_activities to off");
        var crawl = await CreateCrawlAsync(database.DataSource);
        await using var proxy = new FaultProxy(database.ConnectionString);
        await using var dataSource = proxy.CreateDataSource(database.ConnectionString);
        var lost = 0;
        proxy.OnSent = (_, piece) => FaultProxy.IsCommit(piece) && Interlocked.Exchange(ref lost, 1) == 0 ? Fault.Silence : Fault.None;

        var id = await new CrawlEventRepository(dataSource).AppendAsync(crawl, Event);

        Assert.That(await new CrawlEventRepository(database.DataSource).StreamAsync(crawl).Select(one => one.Id).ToListAsync(), Is.EqualTo(new[] { id }));
    }

    private static NewCrawlEvent Event { get; } = new() { EventType = "step", Payload = Jsonb.Parse("{}") };

    /// <summary>Appends through a proxy that loses the answer to the COMMIT.</summary>
    /// <param name="database">The database.</param>
    /// <param name="crawl">The crawl.</param>
    /// <param name="count">The number of events.</param>
    /// <param name="onVerify">Runs once, after the COMMIT and before the first statement of the verification.</param>
    private static async Task<IReadOnlyList<long>> AppendWithLostAnswerAsync(ThrowawayDatabase database, Guid crawl, int count, Action onVerify)
    {
        await using var proxy = new FaultProxy(database.ConnectionString);
        await using var dataSource = proxy.CreateDataSource(database.ConnectionString);
        var step = 0;
        proxy.OnSent = (_, piece) =>
        {
            if (step == 0 && FaultProxy.IsCommit(piece))
            {
                step = 1;
                return Fault.CutAfter;
            }

            if (step == 1)
            {
                step = 2;
                onVerify();
            }

            return Fault.None;
        };

        var ids = await new CrawlEventRepository(dataSource).AppendAsync(crawl, Enumerable.Repeat(Event, count));
        Assert.That(step, Is.EqualTo(2), "the COMMIT was verified");
        return ids;
    }

    private static async Task<Guid> CreateCrawlAsync(NpgsqlDataSource dataSource) =>
        (await new CrawlRunRepository(dataSource).InsertAsync(new NewCrawlRun { AppPackage = "org.example.app" })).Id;

    private static async Task ExecuteAsync(NpgsqlDataSource dataSource, string sql)
    {
        await using var command = dataSource.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }
}
