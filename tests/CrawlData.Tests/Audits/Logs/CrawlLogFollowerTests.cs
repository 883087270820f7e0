using CrawlData.Audits;
using CrawlData.Tests.Crawls;
using Npgsql;

namespace CrawlData.Tests.Audits;

public class CrawlLogFollowerTests : DatabaseTest
{
    [Test]
    public async Task A_log_is_followed_from_the_queue_until_its_session_has_ended()
    {
        var session = await EnqueueAsync();
        var received = new ReceivedItems<long>();
        var following = FollowAsync(Logs.FollowAsync(session), received);
        await Logs.AppendAsync(session, [Line(1), Line(2)]);
        await received.UntilCountAsync(2);

        // A change of the session appends a line, too.
        await Queue.StartAsync(session);
        await Logs.AppendAsync(session, Enumerable.Range(3, 2_000).Select(number => Line(number)));
        await received.UntilCountAsync(2_003);

        Assert.That(following.IsCompleted, Is.False);
        await using (var connection = await DataSource.OpenConnectionAsync())
        {
            await using var transaction = await connection.BeginTransactionAsync();
            await Logs.AppendAsync(session, [Line(0)], transaction);
            await Queue.CompleteAsync(session, 1, transaction: transaction);
            await transaction.CommitAsync();
        }

        await following;
        var ids = (await Logs.StreamAsync(session).ToListAsync()).Select(line => line.Id).Order().ToList();
        Assert.That(ids, Has.Count.GreaterThanOrEqualTo(2_004));
        Assert.That(received.ToList(), Is.EqualTo(ids));
        Assert.That(await Logs.FollowAsync(session, afterId: ids[^3]).Select(line => line.Id).ToListAsync(), Is.EqualTo(ids[^2..]));
    }

    /// <summary>Goes red when the mark is the newest id.</summary>
    [Test]
    public async Task A_line_that_is_committed_late_is_not_missed()
    {
        var (session, other) = (await EnqueueAsync(), await EnqueueAsync());
        var time = new DrivenTime();
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        var late = await Logs.AppendAsync(session, Line(1), transaction);
        var early = await Logs.AppendAsync(session, Line(2));
        using var enough = new CancellationTokenSource();
        var received = new ReceivedItems<long>();
        var following = FollowAsync(new CrawlLogRepository(DataSource, timeProvider: time).FollowAsync(session, cancellationToken: enough.Token), received);
        await time.TickForAsync(TimeSpan.FromSeconds(1));

        Assert.That(received.Count, Is.Zero);
        await transaction.CommitAsync();
        await time.AdvanceUntilAsync(received.UntilCountAsync(2), TimeSpan.FromMilliseconds(250));
        Assert.That(received.ToList(), Is.EqualTo(new[] { late, early }));

        await enough.CancelAsync();
        await Assert.ThatAsync(() => following, Throws.InstanceOf<OperationCanceledException>());
    }

    /// <summary>A line is drawn an id before COPY writes it.</summary>
    [Test]
    public async Task Ids_are_reserved_under_the_table_s_lock()
    {
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using var reserve = new NpgsqlCommand(CrawlLogStatements.ReserveSql, connection, transaction);
        reserve.Parameters.Add(new NpgsqlParameter<Guid[]> { TypedValue = [await EnqueueAsync()] });
        reserve.Parameters.Add(new NpgsqlParameter<int> { TypedValue = 1 });
        Assert.That(await reserve.ExecuteScalarAsync(), Has.Length.EqualTo(1));

        await using var locks = new NpgsqlCommand(
            "select count(*) from pg_locks where pid = pg_backend_pid() and relation = 'crawl_logs'::regclass and mode = 'RowExclusiveLock'",
            connection,
            transaction);
        Assert.That(await locks.ExecuteScalarAsync(), Is.EqualTo(1L));
    }

    [Test]
    public async Task A_log_is_followed_through_a_filter()
    {
        var session = await EnqueueAsync();
        var warning = Line(1) with { Level = CrawlLogLevel.Warn };
        var ids = await Logs.AppendAsync(session, [warning, Line(2), warning with { Timestamp = DateTimeOffset.UnixEpoch }, warning]);
        await Queue.StartAsync(session);
        await Queue.FailAsync(session, 1, "over");

        var filter = new CrawlLogFilter { Levels = [CrawlLogLevel.Warn], TimestampFrom = DateTimeOffset.UnixEpoch.AddYears(1) };
        Assert.That(await Logs.FollowAsync(session, filter).Select(line => line.Id).ToListAsync(), Is.EqualTo(new[] { ids[0], ids[3] }));
    }

    [Test]
    public async Task An_unknown_session_and_one_that_is_deleted_meanwhile_are_reported()
    {
        await Assert.ThatAsync(async () => await Logs.FollowAsync(Guid.NewGuid()).CountAsync(), Throws.InstanceOf<RowNotFoundException>());

        var session = await EnqueueAsync();
        await Logs.AppendAsync(session, Line(1));
        var received = new ReceivedItems<long>();
        var following = FollowAsync(Logs.FollowAsync(session), received);
        await received.UntilCountAsync(1);
        await Sessions.DeleteAsync(session);

        await Assert.ThatAsync(() => following, Throws.InstanceOf<RowNotFoundException>());
    }

    [TestCase(0)]
    [TestCase(3_600_001)]
    public void An_interval_out_of_range_is_refused(int milliseconds) =>
        Assert.That(
            () => Logs.FollowAsync(Guid.NewGuid(), pollInterval: TimeSpan.FromMilliseconds(milliseconds)),
            Throws.InstanceOf<ArgumentOutOfRangeException>().With.Property("ParamName").EqualTo("pollInterval"));

    private static async Task FollowAsync(IAsyncEnumerable<CrawlLog> lines, ReceivedItems<long> received)
    {
        await foreach (var line in lines)
        {
            received.Add(line.Id);
        }
    }
}
