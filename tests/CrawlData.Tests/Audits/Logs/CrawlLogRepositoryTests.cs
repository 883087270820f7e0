using CrawlData.Audits;
using Npgsql;

namespace CrawlData.Tests.Audits;

public class CrawlLogRepositoryTests : DatabaseTest
{
    /// <summary>Sizes below and above the limit from which COPY writes the lines.</summary>
    private static readonly int[] Sizes = [1, 7, 999, 1_000, 2_500];

    private static readonly DateTimeOffset Start = new(2026, 9, 26, 13, 30, 0, TimeSpan.Zero);

    private static readonly string[] UnusualMessages =
    [
        "", "'; drop table crawl_logs; --", "\\.", "\\N", "a\tb\nc\rd\\", "{\"a\":1}", "$1 @session_id %s", "\u0001\u007f\ufffe\uffff",
        "😀 \u202eabc", new('x', 100_000),
    ];

    [TestCase(0)]
    [TestCase(1)]
    [TestCase(2_345)]
    public async Task A_stream_of_lines_is_appended_in_its_order(int count)
    {
        var session = await EnqueueAsync();

        var appended = await Logs.AppendStreamAsync(session, Lines(count).ToAsyncEnumerable());

        Assert.That(appended, Is.EqualTo(count));
        Assert.That(
            await Logs.StreamAsync(session).Select(line => line.Message).ToListAsync(),
            Is.EqualTo(Enumerable.Range(1, count).Select(number => $"line {number}")));
    }

    [Test]
    public async Task A_stream_that_throws_stores_nothing_and_leaves_the_caller_s_transaction_usable()
    {
        var session = await EnqueueAsync();
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await Logs.AppendAsync(session, Line(0), transaction);

        await Assert.ThrowsAsync<IOException>(() => Logs.AppendStreamAsync(session, ThrowingAsync(), transaction));
        await transaction.CommitAsync();

        Assert.That((await Logs.ListAsync(session)).Items.Select(line => line.Message), Is.EqualTo(new[] { "line 0" }));

        static async IAsyncEnumerable<NewCrawlLog> ThrowingAsync()
        {
            foreach (var line in Lines(1_500))
            {
                yield return line;
            }

            await Task.Yield();
            throw new IOException("the source ended");
        }
    }

    [Test]
    public async Task A_stream_for_an_unknown_session_stores_nothing()
    {
        var unknown = Guid.NewGuid();

        var exception = await Assert.ThrowsAsync<RowNotFoundException>(() => Logs.AppendStreamAsync(unknown, Lines(3).ToAsyncEnumerable()));

        Assert.That(exception!.Ids, Is.EqualTo(new[] { unknown }));
    }

    [Test]
    public async Task A_line_is_stored_as_given()
    {
        var session = await EnqueueAsync();

        var id = await Logs.AppendAsync(session, new NewCrawlLog
        {
            Level = CrawlLogLevel.Warn,
            EventType = CrawlLogEventType.Popup,
            Message = "a banner",
            Details = Jsonb.Parse("""[{"é": null}]"""),
            Timestamp = Start.AddTicks(19).ToOffset(TimeSpan.FromHours(-9.5)),
        });
        var bare = await Logs.AppendAsync(session, new NewCrawlLog { EventType = CrawlLogEventType.Timeout, Message = "m" });

        var lines = (await Logs.ListAsync(session)).Items;
        Assert.That(lines.Single(line => line.Id == id), Is.EqualTo(new CrawlLog
        {
            Id = id,
            SessionId = session,
            Level = CrawlLogLevel.Warn,
            EventType = CrawlLogEventType.Popup,
            Message = "a banner",
            Details = Jsonb.Parse("""[{"é": null}]"""),
            Timestamp = Start.AddTicks(10),
        }));
        Assert.That(lines.Select(line => line.Timestamp.Offset), Is.All.EqualTo(TimeSpan.Zero));
        Assert.That(lines.Single(line => line.Id == bare), Has.Property("Level").EqualTo(CrawlLogLevel.Info).And.Property("Details").EqualTo(Jsonb.Parse("{}"))
            .And.Property("Timestamp").EqualTo(DateTimeOffset.UtcNow).Within(TimeSpan.FromMinutes(1)));
    }

    [TestCaseSource(nameof(Sizes))]
    public async Task Lines_of_several_sessions_are_stored_in_order_under_the_returned_ids(int count)
    {
        Guid[] sessions = [await EnqueueAsync(), await EnqueueAsync(), await EnqueueAsync()];

        var ids = await Logs.AppendAsync([.. Lines(count).Select((line, index) => (sessions[index % 3], line))]);

        Assert.That(ids, Has.Count.EqualTo(count).And.Ordered.And.Unique);
        for (var session = 0; session < 3; session++)
        {
            var read = (await Logs.ListAsync(sessions[session])).Items;
            Assert.That(read.Select(line => line.Id), Is.EqualTo(ids.Where((_, index) => index % 3 == session)));
            Assert.That(read.Select(line => line.Message), Is.EqualTo(Lines(count).Where((_, index) => index % 3 == session).Select(line => line.Message)));
        }
    }

    [TestCaseSource(nameof(Sizes))]
    public async Task An_unknown_session_is_named_and_stores_nothing_in_a_usable_transaction(int count)
    {
        var (known, unknown) = (await EnqueueAsync(), Guid.CreateVersion7());
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        IReadOnlyList<(Guid, NewCrawlLog)> lines = [(unknown, Line(0)), .. Lines(count).Select(line => (known, line))];

        var exception = await Assert.ThrowsAsync<RowNotFoundException>(() => Logs.AppendAsync(lines));
        await Assert.ThrowsAsync<RowNotFoundException>(() => Logs.AppendAsync(lines, transaction));
        await Logs.AppendAsync(known, Line(1), transaction);
        await transaction.CommitAsync();

        Assert.That((exception!.Table, exception.Ids), Is.EqualTo(("audit_sessions", new[] { unknown })));
        Assert.That((await Logs.ListAsync(known)).Items, Has.Count.EqualTo(1));
    }

    /// <summary>Goes red without <c>for key share</c>: the foreign key's check then comes too late for a typed error.</summary>
    [Test]
    public async Task A_session_deleted_concurrently_is_unknown([Values(1, 1_000)] int count)
    {
        var session = await EnqueueAsync();
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await Sessions.DeleteAsync(session, transaction);

        var appending = Logs.AppendAsync(session, Lines(count));
        await Wait.UntilBlockedByAsync(DataSource, connection);
        await transaction.CommitAsync();

        await Assert.ThatAsync(() => appending, Throws.InstanceOf<RowNotFoundException>());
    }

    [Test]
    public async Task An_empty_batch_appends_nothing_and_a_null_is_named()
    {
        var session = await EnqueueAsync();

        Assert.That(await Logs.AppendAsync(Guid.CreateVersion7(), []), Is.Empty);
        await Assert.ThatAsync(
            () => Logs.AppendAsync(session, [Line(1), null!]), Throws.InstanceOf<InvalidValueException>().With.Message.EqualTo("lines: has null at index 1."));
        await Assert.ThatAsync(() => Logs.AppendAsync(session, (NewCrawlLog)null!), Throws.ArgumentNullException);
        Assert.That((await Logs.ListAsync(session)).Items, Is.Empty);
    }

    [Test]
    public async Task Unusual_messages_are_read_back_unchanged([Values(1, 200)] int times)
    {
        var session = await EnqueueAsync();
        var lines = Enumerable.Repeat(UnusualMessages, times).SelectMany(messages => messages).Select((message, index) => Line(index) with
        {
            Message = times == 1 || message.Length < 1_000 ? message : message[..1_000],
            Details = Jsonb.From(message.Length < 1_000 ? message : "long"),
        }).ToList();

        await Logs.AppendAsync(session, lines);

        var read = (await Logs.ListAsync(session, pageSize: CrawlLogRepository.MaxPageSize)).Items;
        Assert.That(read.Select(line => (line.Message, line.Details)), Is.EqualTo(lines.Select(line => (line.Message, line.Details))));
    }

    [Test]
    public async Task Long_lines_are_appended_whatever_their_total_size()
    {
        var session = await EnqueueAsync();
        var message = new string('é', 1_000_000);

        await Logs.AppendAsync(session, Enumerable.Repeat(Line(1) with { Message = message }, 3));

        Assert.That((await Logs.ListAsync(session)).Items.Select(line => line.Message == message), Is.EqualTo(new[] { true, true, true }));
    }

    [Test]
    public void An_invalid_value_is_refused_by_its_property()
    {
        Assert.Multiple(() =>
        {
            AssertRefused(() => Line(1) with { Message = "a\0b" }, "message");
            AssertRefused(() => Line(1) with { Message = "\ude00" }, "message");
            AssertRefused(() => Line(1) with { Level = (CrawlLogLevel)3 }, "level");
            AssertRefused(() => Line(1) with { EventType = (CrawlLogEventType)6 }, "event_type");
            AssertRefused(() => Line(1, default(DateTimeOffset)), "timestamp");
            AssertRefused(() => new CrawlLogFilter { TimestampFrom = DateTimeOffset.MaxValue }, "timestamp_from");
            AssertRefused(() => new CrawlLogFilter { TimestampBefore = default(DateTimeOffset) }, "timestamp_before");
        });

        static void AssertRefused(Func<object> make, string field) =>
            Assert.That(make, Throws.InstanceOf<InvalidValueException>().With.Property("Field").EqualTo(field));
    }

    private static IEnumerable<TestCaseData> Queries() =>
    [
        Query("all", null, _ => true),
        Query("from", new CrawlLogFilter { TimestampFrom = Start.AddMinutes(2) }, line => line.Timestamp >= Start.AddMinutes(2)),
        Query(
            "before",
            new CrawlLogFilter { TimestampBefore = Start.AddMinutes(2).ToOffset(TimeSpan.FromHours(14)) },
            line => line.Timestamp < Start.AddMinutes(2)),
        Query(
            "a range of some levels",
            new CrawlLogFilter
            {
                TimestampFrom = Start.AddMinutes(1),
                TimestampBefore = Start.AddMinutes(4),
                Levels = [CrawlLogLevel.Error, CrawlLogLevel.Warn],
            },
            line => line.Timestamp >= Start.AddMinutes(1) && line.Timestamp < Start.AddMinutes(4) && line.Level != CrawlLogLevel.Info),
        Query("a range that is empty", new CrawlLogFilter { TimestampFrom = Start.AddMinutes(2), TimestampBefore = Start.AddMinutes(2) }, _ => false),
        Query(
            "event types",
            new CrawlLogFilter { EventTypes = [CrawlLogEventType.Artifact, CrawlLogEventType.Navigation] },
            line => line.EventType is CrawlLogEventType.Navigation or CrawlLogEventType.Artifact),
        Query("no level", new CrawlLogFilter { Levels = [] }, _ => false),
        Query("no event type", new CrawlLogFilter { EventTypes = [] }, _ => false),
    ];

    /// <summary>Ten lines share each time, and later ids have earlier times. With each page a line before the cursor is added.</summary>
    [TestCaseSource(nameof(Queries))]
    public async Task A_log_is_paged_by_time_and_id_with_each_line_once(CrawlLogFilter? query, Func<CrawlLog, bool> fits)
    {
        var (session, other) = (await EnqueueAsync(), await EnqueueAsync());
        await Logs.AppendAsync([.. Enumerable.Range(0, 120).Select(number => (number % 2 == 0 ? session : other, Line(number) with
        {
            Level = (CrawlLogLevel)(number / 2 % 3),
            EventType = (CrawlLogEventType)(number / 2 % 6),
            Timestamp = Start.AddMinutes(5 - (number / 20)),
        }))]);
        var all = (await Logs.ListAsync(session)).Items;
        var expected = all.Where(fits).OrderBy(line => line.Timestamp).ThenBy(line => line.Id).ToList();

        Assert.That(all, Has.Count.EqualTo(60));
        Assert.That((await Logs.ListAsync(session, query)).Items, Is.EqualTo(expected));
        Assert.That(await Logs.StreamAsync(session, query).ToListAsync(), Is.EqualTo(expected));
        Assert.That(await NewestAsync(), Is.EqualTo(Enumerable.Reverse(expected)));
        var seen = new List<CrawlLog>();
        string? cursor = null;
        do
        {
            var page = await Logs.ListAsync(session, query, 7, cursor);
            Assert.That(page.Items, Has.Count.EqualTo(Math.Min(7, expected.Count - seen.Count)));
            seen.AddRange(page.Items);
            cursor = page.NextCursor;
            await Logs.AppendAsync(session, Line(0, Start.AddYears(-1)));
        }
        while (cursor is not null);
        Assert.That(seen, Is.EqualTo(expected));

        async Task<List<CrawlLog>> NewestAsync()
        {
            var page = await Logs.ListNewestAsync(session, query, 7);
            var newest = page.Items.ToList();
            while (page.NextCursor is not null)
            {
                await Logs.AppendAsync(session, Line(0, Start.AddYears(1)) with { Level = CrawlLogLevel.Error });
                page = await Logs.ListNewestAsync(session, query, 7, page.NextCursor);
                newest.AddRange(page.Items);
            }

            await using var delete = DataSource.CreateCommand("delete from crawl_logs where session_id = $1 and timestamp > '2026-12-31'");
            delete.Parameters.Add(new NpgsqlParameter { Value = session });
            await delete.ExecuteNonQueryAsync();
            return newest;
        }
    }

    [Test]
    public async Task Pages_of_lines_with_an_infinite_time_end()
    {
        var session = await EnqueueAsync();
        await using var insert = DataSource.CreateCommand(
            """
            insert into crawl_logs (session_id, level, event_type, message, details, timestamp)
            select $1, 'info', 'error', '', '{}', unnest(array['infinity', '-infinity', 'infinity']::timestamptz[])
            """);
        insert.Parameters.Add(new NpgsqlParameter { Value = session });
        await insert.ExecuteNonQueryAsync();

        var first = await Logs.ListAsync(session, pageSize: 2);
        var second = await Logs.ListAsync(session, pageSize: 2, cursor: first.NextCursor);

        Assert.That(first.Items.Concat(second.Items), Is.Empty);
        Assert.That(first.NextCursor, Is.Not.Null);
        Assert.That(second.NextCursor, Is.Null);
    }

    [Test]
    public async Task A_page_size_out_of_range_is_refused([Values(0, CrawlLogRepository.MaxPageSize + 1)] int pageSize) => await Assert.ThatAsync(
        () => Logs.ListAsync(Guid.Empty, pageSize: pageSize), Throws.InstanceOf<ArgumentOutOfRangeException>().With.Property("ParamName").EqualTo("pageSize"));

    [Test]
    public async Task Text_that_is_not_a_log_cursor_is_a_typed_error([Values("", "nonsense", "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")] string cursor) =>
        await Assert.ThatAsync(
            () => Logs.ListAsync(Guid.Empty, cursor: cursor), Throws.InstanceOf<InvalidValueException>().With.Property("Field").EqualTo("cursor"));

    [Test]
    public async Task A_stream_that_is_left_early_returns_its_connection_to_the_pool([Values] bool byItsToken)
    {
        var session = await EnqueueAsync();
        await Logs.AppendAsync(session, Lines(5_000));
        await using var source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(Database.ConnectionString) { MaxPoolSize = 1, Timeout = 5 });
        var logs = new CrawlLogRepository(source);

        for (var time = 0; time < 5; time++)
        {
            using var cancellation = new CancellationTokenSource();
            var read = 0;
            await Assert.ThatAsync(
                async () =>
                {
                    await foreach (var _ in logs.StreamAsync(session, cancellationToken: cancellation.Token))
                    {
                        if (++read == 2 && !byItsToken)
                        {
                            break;
                        }

                        if (read == 2)
                        {
                            await cancellation.CancelAsync();
                        }
                    }
                },
                byItsToken ? Throws.InstanceOf<OperationCanceledException>() : Throws.Nothing);
            Assert.That(read, Is.EqualTo(2));
        }

        Assert.That((await logs.ListAsync(session, pageSize: 10_000)).Items, Has.Count.EqualTo(5_000), "the only connection is as good as before");
    }

    [Test]
    public async Task A_line_is_read_by_its_session_and_id()
    {
        var session = await EnqueueAsync();
        var ids = await Logs.AppendAsync(session, Lines(3));

        Assert.That(await Logs.GetAsync(session, ids[1]), Is.EqualTo((await Logs.ListAsync(session)).Items[1]));
        Assert.That(await Logs.GetAsync(await EnqueueAsync(), ids[1]), Is.Null);
        Assert.That(await Logs.GetAsync(session, long.MaxValue), Is.Null);
    }

    [Test]
    public async Task Lines_appended_in_a_caller_s_transaction_are_isolated_and_rolled_back_with_it([Values(1, 1_500)] int count)
    {
        var session = await EnqueueAsync();
        await using var connection = await DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();

        var ids = await Logs.AppendAsync(session, Lines(count), transaction);

        Assert.That((await Logs.ListAsync(session, pageSize: 2_000, transaction: transaction)).Items.Select(line => line.Id), Is.EqualTo(ids));
        Assert.That(await Logs.StreamAsync(session, transaction: transaction).Select(line => line.Id).ToListAsync(), Is.EqualTo(ids));
        Assert.That((await Logs.ListAsync(session)).Items, Is.Empty, "others do not see it yet");
        await transaction.RollbackAsync();
        Assert.That((await Logs.ListAsync(session)).Items, Is.Empty);
    }

    private static IEnumerable<NewCrawlLog> Lines(int count) => Enumerable.Range(1, count).Select(number => Line(number));

    private static TestCaseData Query(string name, CrawlLogFilter? query, Func<CrawlLog, bool> fits) => new TestCaseData(query, fits).SetArgDisplayNames(name);
}
