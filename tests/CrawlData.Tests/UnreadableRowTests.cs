using System.Text;
using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Diagnostics;
using CrawlData.Recordings;
using CrawlData.Retention;
using CrawlData.Tests.Cli;
using Microsoft.Extensions.Logging;

namespace CrawlData.Tests;

/// <summary>Rows that plain SQL or a newer version stored: with a label that this version does not know, or with a time that <see cref="DateTimeOffset"/>
/// cannot hold.</summary>
public sealed class UnreadableRowTests : EmptiedDatabaseTest
{
    private const int RowsPassedOver = 34;

    /// <summary>Each column that may hold such a value, with one.</summary>
    private static readonly (string Table, string Column, string Value)[] Values =
    [
        ("crawl_runs", "status", "later"),
        ("crawl_runs", "created_at", "294276-12-31 23:59:59.999999"),
        ("crawl_runs", "started_at", "-infinity"),
        ("crawl_runs", "completed_at", "0044-03-15 BC"),
        ("crawl_runs", "cancelled_at", "infinity"),
        ("crawl_events", "created_at", "31300-01-01"),
        ("audit_sessions", "status", "later"),
        ("audit_sessions", "mode", "later"),
        ("audit_sessions", "retention_policy", "later"),
        ("audit_sessions", "created_at", "-infinity"),
        ("audit_pages", "page_type", "later"),
        ("audit_pages", "viewport", "later"),
        ("audit_pages", "status", "later"),
        ("artifacts", "type", "later"),
        ("artifacts", "created_at", "-infinity"),
        ("artifacts", "retention_until", "294276-12-31 23:59:59.999999+00"),
        ("artifacts", "deleted_at", "infinity"),
        ("crawl_logs", "level", "later"),
        ("crawl_logs", "event_type", "later"),
        ("crawl_logs", "timestamp", "10000-01-01 00:00:00+00"),
    ];

    private static readonly string[] Enums =
    [
        "crawl_status", "audit_session_status_enum", "audit_mode_enum", "retention_policy_enum", "page_type_enum", "viewport_enum", "page_status_enum",
        "artifact_type_enum", "log_level_enum", "event_type_enum",
    ];

    [OneTimeSetUp]
    public async Task AddLabelsAsync()
    {
        foreach (var name in Enums)
        {
            await ExecuteAsync($"alter type {name} add value 'later'");
        }
    }

    [Test]
    public async Task Every_enum_and_every_time_is_covered()
    {
        var columns = await QueryAsync<string>(
            """
            select table_name || '.' || column_name from information_schema.columns
            where table_schema = current_schema() and table_name in ('crawl_runs', 'crawl_events', 'audit_sessions', 'audit_pages', 'artifacts', 'crawl_logs')
              and (data_type = 'USER-DEFINED' or data_type like 'timestamp%')
            """);

        Assert.That(Values.Select(value => $"{value.Table}.{value.Column}"), Is.EquivalentTo(columns));
    }

    [Test]
    public async Task A_get_names_the_row_and_the_column_and_listings_pass_over_the_row_and_report_it()
    {
        foreach (var (table, column, value) in Values)
        {
            await EmptyAsync();
            var (first, second) = (await RowsAsync(), await RowsAsync());
            var id = first.IdOf(table);
            await SetAsync(table, column, value, id);

            var error = await Assert.ThrowsAsync<UnreadableRowException>(() => GetAsync(table, first));
            var log = new LoggedEvents<object>(RowsPassedOver);
            var listed = await ListAsync(table, first, second, log);

            Assert.That((error!.Table, error.RowId, error.Column), Is.EqualTo((table, id, column)));
            Assert.That(error.Message, Does.StartWith($"{table} {id}: {column} "));
            Assert.That(listed, Is.EqualTo(new[] { second.IdOf(table) }), $"{table}.{column}");
            Assert.That(log.Received.ToList(), Has.Count.EqualTo(1).And.All.Contains($"Passed over 1 rows of {table}").And.All.Contains(error.Message));
        }
    }

    [Test]
    public async Task A_page_ends_at_an_unreadable_row_and_the_next_page_goes_on()
    {
        var runs = await Runs.InsertAsync(Enumerable.Range(0, 6).Select(_ => new NewCrawlRun { AppPackage = "org.example.app" }));
        await SetAsync("crawl_runs", "created_at", "infinity", $"{runs[1].Id}");
        await SetAsync("crawl_runs", "created_at", "0044-03-15 BC", $"{runs[2].Id}");
        await SetAsync("crawl_runs", "status", "later", $"{runs[4].Id}");
        foreach (var order in Enum.GetValues<ListOrder>())
        {
            var listed = new List<Guid>();
            string? cursor = null;
            do
            {
                var page = await Runs.ListAsync(null, 1, cursor, order);
                listed.AddRange(page.Items.Select(run => run.Id));
                cursor = page.NextCursor;
            }
            while (cursor is not null && listed.Count < 10);

            Guid[] readable = [runs[0].Id, runs[3].Id, runs[5].Id];
            Assert.That(listed, Is.EqualTo(order == ListOrder.OldestFirst ? readable : readable.Reverse()));
        }
    }

    [Test]
    public async Task A_claim_leaves_a_session_that_cannot_be_read([Values("mode", "retention_policy", "created_at")] string column)
    {
        var (unreadable, readable) = (await EnqueueAsync(), await EnqueueAsync());
        await SetAsync("audit_sessions", column, column == "created_at" ? "-infinity" : "later", $"{unreadable}");

        var claims = new[] { await Queue.ClaimNextAsync(), await Queue.ClaimNextAsync() };

        Assert.That(claims.Select(claim => claim?.Id), Is.EqualTo(new Guid?[] { readable, null }));
        Assert.That(await QueryAsync<string>("select status || ' ' || attempts from audit_sessions where id = @unreadable", new { unreadable }),
            Is.EqualTo(new[] { "queued 0" }));
    }

    /// <summary>The statements list the labels that this version knows.</summary>
    [Test]
    public async Task Rows_of_every_label_of_this_version_are_claimed_and_changed()
    {
        var session = (await RowsAsync()).Session;
        foreach (var (mode, policy) in Enum.GetValues<AuditMode>().SelectMany(mode => Enum.GetValues<RetentionPolicy>().Select(policy => (mode, policy))))
        {
            var id = (await Sessions.InsertAsync(Session() with { Mode = mode, RetentionPolicy = policy })).Id;
            Assert.That((await Queue.ClaimNextAsync())?.Id, Is.EqualTo(id));
        }

        foreach (var (type, viewport) in Enum.GetValues<PageType>().SelectMany(type => Enum.GetValues<Viewport>().Select(viewport => (type, viewport))))
        {
            var id = (await Pages.InsertAsync(session, Page(type, viewport))).Id;
            foreach (var status in Enum.GetValues<PageStatus>())
            {
                Assert.That((await Pages.SetStatusAsync(session, id, status)).EnsureApplied().Status, Is.EqualTo(status));
            }
        }
    }

    [Test]
    public async Task A_transition_of_an_unreadable_row_changes_nothing()
    {
        foreach (var (table, column, value) in Values.Where(value => value.Table is "crawl_runs" or "audit_sessions" or "audit_pages"))
        {
            await EmptyAsync();
            var rows = await RowsAsync();
            await SetAsync(table, column, value, rows.IdOf(table));
            var before = await QueryAsync<string>($"select {table}::text from {table}");
            Func<Task>[] changes = table switch
            {
                "crawl_runs" => [() => Runs.CompleteAsync(rows.Crawl), () => Runs.FailAsync(rows.Crawl, ""), () => Runs.CancelAsync(rows.Crawl)],
                "audit_pages" => [() => Pages.SetStatusAsync(rows.Session, rows.Page, PageStatus.Failed)],
                _ =>
                [
                    () => Queue.CompleteAsync(rows.Session, 1),
                    () => Queue.FailAsync(rows.Session, 1, ""),
                    () => Queue.RecordFindingsAsync(rows.Session, 1, new AuditFindings { FinalUrl = "https://example.org/" }),
                ],
            };
            foreach (var change in changes)
            {
                Assert.That((await Assert.ThrowsAsync<UnreadableRowException>(change))!.Column, Is.EqualTo(column));
            }

            Assert.That(await QueryAsync<string>($"select {table}::text from {table}"), Is.EqualTo(before), $"{table}.{column}");
        }
    }

    [Test]
    public async Task Counts_totals_and_the_status_leave_out_an_unknown_label_and_report_it()
    {
        var (first, second) = (await RowsAsync(), await RowsAsync());
        await SetAsync("crawl_runs", "status", "later", $"{first.Crawl}");
        await SetAsync("audit_sessions", "status", "later", $"{first.Session}");
        await SetAsync("artifacts", "type", "later", $"{first.Artifact}");
        await ExecuteAsync("update artifacts set retention_until = '-infinity' where id = @Artifact", second);
        var log = new LoggedEvents<object>(RowsPassedOver);

        var totals = await new ArtifactRepository(DataSource, logger: Logger<ArtifactRepository>(log)).TotalAllByTypeAsync();
        var status = await new DatabaseStatusReader(DataSource, new OneLoggerFactory(log)).ReadAsync();

        Assert.That((totals.Values.Sum(total => total.Count), status.Runs.Values.Sum(), status.Sessions.Values.Sum()), Is.EqualTo((1, 1, 1)));
        Assert.That(status.OldestRuns[CrawlStatus.Running].Id, Is.EqualTo(second.Crawl));
        Assert.That((status.ExpiredArtifacts.Count, status.OldestExpiry), Is.EqualTo((1, (DateTimeOffset?)null)));
        Assert.That(
            log.Received.ToList().Select(text => text.Split(" of ")[1].Split(' ')[0]), Is.EquivalentTo(new[] { "artifacts", "crawl_runs", "audit_sessions" }));
        Assert.That(log.Received.ToList(), Is.All.Contains("has the label 'later', which this version does not know"));
    }

    [Test]
    public async Task The_oldest_work_that_can_be_read_is_shown()
    {
        var (first, second) = (await RowsAsync(), await RowsAsync());
        await SetAsync("crawl_runs", "created_at", "-infinity", $"{first.Crawl}");
        await SetAsync("audit_sessions", "created_at", "-infinity", $"{first.Session}");

        var status = await new DatabaseStatusReader(DataSource).ReadAsync();

        Assert.That(
            (status.OldestRuns[CrawlStatus.Running].Id, status.OldestSessions[AuditSessionStatus.Running].Id), Is.EqualTo((second.Crawl, second.Session)));
    }

    [Test]
    public async Task Followers_and_streams_pass_over_an_event_and_go_on()
    {
        var crawl = await CreateCrawlAsync();
        var ids = await Events.AppendAsync(crawl, EventsOf(5));
        await Runs.CancelAsync(crawl);
        await ExecuteAsync("update crawl_events set created_at = 'infinity' where id = any (@passed)", new { passed = new[] { ids[1], ids[4] } });
        var options = new CrawlEventFollowOptions { PageSize = 2 };
        long[] readable = [ids[0], ids[2], ids[3]];

        Assert.That(await Events.FollowAsync(crawl, options: options).Select(one => one.Id).ToListAsync(), Is.EqualTo(readable));
        Assert.That(await Events.StreamAsync(crawl).Select(one => one.Id).ToListAsync(), Is.EqualTo(readable));
        var all = await Events.ListAllAsync();
        Assert.That(all.Events.Select(one => one.Id), Is.EqualTo(readable));
        Assert.That((await Events.ListAllAsync(all.Cursor)).Cursor, Is.EqualTo(CursorAfter(ids[4])));
        Assert.That(all.Cursor, Is.EqualTo(CursorAfter(ids[4])));
        Assert.That(
            await Events.FollowAllAsync(options: options).SelectMany(batch => batch.Events).Take(3).Select(one => one.Id).ToListAsync(), Is.EqualTo(readable));
    }

    [Test]
    public async Task A_sweep_passes_over_an_artifact_whose_time_cannot_be_read()
    {
        var rows = await RowsAsync();
        await Artifacts.InsertAsync(rows.Session, Enumerable.Repeat(Artifact(rows.Page) with { RetentionUntil = DateTimeOffset.UnixEpoch }, 3));
        await ExecuteAsync("update artifacts set retention_until = '-infinity' where id = @Artifact", rows);
        var log = new LoggedEvents<ArtifactSweeper>(RowsPassedOver);
        var sweeper = new ArtifactSweeper(DataSource, log);

        var expired = await sweeper.StreamExpiredAsync().CountAsync();
        var total = await sweeper.SweepAsync(new DelegateStore((batch, _) => Task.FromResult(batch)), batchSize: 1);

        Assert.That((expired, total.Deleted, total.Expired), Is.EqualTo((3, 3, 3)));
        Assert.That((await Artifacts.ListAsync(rows.Session)), Is.Empty, "the unreadable one is passed over");
        Assert.That(await QueryAsync<bool>("select deleted_at is null from artifacts where id = @Artifact", rows), Is.EqualTo(new[] { true }));
        Assert.That(log.Received.ToList(), Has.Count.EqualTo(2).And.All.Contains($"{rows.Artifact}: retention_until is -infinity"));
    }

    [Test]
    public async Task An_export_keeps_every_value_and_an_import_takes_the_times_again()
    {
        var rows = await RowsAsync();
        foreach (var (table, column, value) in Values.Where(value => value.Value != "later"))
        {
            await SetAsync(table, column, value, rows.IdOf(table));
        }

        var recording = await ExportAsync(rows);
        var before = await DumpAsync();
        await ExecuteAsync("truncate crawl_runs, audit_sessions cascade");
        await new RecordingImporter(DataSource).ImportAsync(
            new MemoryStream(Encoding.UTF8.GetBytes(recording)), new RecordingImportOptions { Enqueue = true, AllowExpired = true });

        Assert.That(
            recording,
            Does.Contain("\"retention_until\":\"294276-12-31T23:59:59.999999Z\"").And.Contain("\"completed_at\":\"0044-03-15T00:00:00.000Z BC\""));
        Assert.That(await DumpAsync(), Is.EqualTo(before));

        Task<List<string>> DumpAsync() => QueryAsync<string>(string.Join(" union all ",
            "select (crawl_runs.*)::text from crawl_runs", "select (audit_sessions.*)::text from audit_sessions", "select (artifacts.*)::text from artifacts",
            "select created_at::text from crawl_events", "select timestamp::text from crawl_logs"));
    }

    [Test]
    public async Task An_export_keeps_a_label_that_this_version_does_not_know_and_an_import_refuses_it_at_its_line()
    {
        var rows = await RowsAsync();
        await SetAsync("audit_sessions", "mode", "later", $"{rows.Session}");

        var recording = await ExportAsync(rows);
        var error = await Assert.ThrowsAsync<RecordingException>(() => new RecordingImporter(DataSource).ImportAsync(
            new MemoryStream(Encoding.UTF8.GetBytes(recording)), new RecordingImportOptions { NewIds = true }));

        Assert.That(recording, Does.Contain("\"mode\":\"later\""));
        Assert.That(error!.Message, Does.StartWith("Line 3: mode"));
    }

    [Test]
    public async Task The_tool_lists_and_exports_the_other_rows_and_names_the_one_that_it_passed_over()
    {
        var (first, second) = (await RowsAsync(), await RowsAsync());
        await SetAsync("crawl_runs", "created_at", "31300-01-01", $"{first.Crawl}");

        var runs = await Tool.RunAsync(Database.ConnectionString, "runs");
        var export = await Tool.RunAsync(Database.ConnectionString, "export", $"{first.Crawl}");

        Assert.That((runs.ExitCode, export.ExitCode), Is.EqualTo((0, 0)), runs.Error + export.Error);
        Assert.That(runs.Output, Does.Contain($"{second.Crawl}").And.Not.Contain($"{first.Crawl}"));
        Assert.That(runs.Error, Is.EqualTo(
            $"crawldata: Passed over 1 rows of crawl_runs that this version cannot read. The first: crawl_runs {first.Crawl}: "
                + "created_at is 31300-01-01T00:00:00.000Z, which DateTimeOffset cannot hold.\n"));
        Assert.That(export.Output, Does.Contain("\"created_at\":\"31300-01-01T00:00:00.000Z\""));
    }

    private async Task<string> ExportAsync(Rows rows)
    {
        using var recording = new MemoryStream();
        await new RecordingExporter(DataSource).ExportCrawlAsync(rows.Crawl, recording);
        await new RecordingExporter(DataSource).ExportSessionAsync(rows.Session, recording);
        return Encoding.UTF8.GetString(recording.ToArray());
    }

    /// <summary>Inserts a row into each table: a running run and a running session with what belongs to them.</summary>
    private async Task<Rows> RowsAsync()
    {
        var crawl = (await Runs.InsertAsync(new NewCrawlRun { AppPackage = "org.example.app", Status = CrawlStatus.Running })).Id;
        var session = (await Queue.StartAsync(await EnqueueAsync())).EnsureApplied().Id;
        var page = (await Pages.InsertAsync(session, Page())).Id;
        return new Rows(
            crawl,
            await Events.AppendAsync(crawl, Event(1)),
            session,
            page,
            (await Artifacts.InsertAsync(session, Artifact(page))).Id,
            (await Logs.ListAsync(session)).Items.Single().Id);
    }

    private Task SetAsync(string table, string column, string value, string id) =>
        ExecuteAsync($"update {table} set {column} = '{value}' where id::text = @id", new { id });

    private Task GetAsync(string table, Rows rows) => table switch
    {
        "crawl_runs" => Runs.GetAsync(rows.Crawl),
        "crawl_events" => Events.GetAsync(rows.Crawl, rows.Event),
        "audit_sessions" => Sessions.GetAsync(rows.Session),
        "audit_pages" => Pages.GetAsync(rows.Session, rows.Page),
        "artifacts" => Artifacts.GetAsync(rows.Session, rows.Artifact),
        _ => Logs.GetAsync(rows.Session, rows.Line),
    };

    private async Task<List<string>> ListAsync(string table, Rows first, Rows second, LoggedEvents<object> log)
    {
        var all = new ArtifactFilter { IncludeDeleted = true };
        var listed = new List<string>();
        switch (table)
        {
            case "crawl_runs":
                listed.AddRange((await new CrawlRunRepository(DataSource, null, Logger<CrawlRunRepository>(log)).ListAsync()).Items.Select(row => $"{row.Id}"));
                break;
            case "audit_sessions":
                var sessions = new AuditSessionRepository(DataSource, null, Logger<AuditSessionRepository>(log));
                listed.AddRange((await sessions.ListAsync()).Items.Select(row => $"{row.Id}"));
                break;
            case "crawl_events":
                var events = new CrawlEventRepository(DataSource, logger: Logger<CrawlEventRepository>(log));
                listed.AddRange((await events.ListAllAsync()).Events.Select(row => $"{row.Id}"));
                break;
            default:
                foreach (var session in new[] { first.Session, second.Session })
                {
                    listed.AddRange(table switch
                    {
                        "audit_pages" => (await new AuditPageRepository(DataSource, null, Logger<AuditPageRepository>(log)).ListAsync(session))
                            .Select(row => $"{row.Id}"),
                        "artifacts" => (await new ArtifactRepository(DataSource, logger: Logger<ArtifactRepository>(log)).ListAsync(session, all))
                            .Select(row => $"{row.Id}"),
                        _ => (await new CrawlLogRepository(DataSource, logger: Logger<CrawlLogRepository>(log)).ListAsync(session)).Items
                            .Select(row => $"{row.Id}"),
                    });
                }

                break;
        }

        return listed;
    }

    private static Logger<T> Logger<T>(LoggedEvents<object> log) => new(new OneLoggerFactory(log));

    private sealed record Rows(Guid Crawl, long Event, Guid Session, Guid Page, Guid Artifact, long Line)
    {
        public string IdOf(string table) => table switch
        {
            "crawl_runs" => $"{Crawl}",
            "crawl_events" => $"{Event}",
            "audit_sessions" => $"{Session}",
            "audit_pages" => $"{Page}",
            "artifacts" => $"{Artifact}",
            _ => $"{Line}",
        };
    }
}
