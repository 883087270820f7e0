using System.Text;
using CrawlData.Audits;
using CrawlData.Crawls;
using CrawlData.Recordings;
using Npgsql;

namespace CrawlData.Tests.Recordings;

public partial class RecordingTests : DatabaseTest
{
    private static readonly Guid Recorded = new("db893442-4075-4ab8-8b1e-865d89f72223");

    private static readonly string Run =
        $$$"""
        {"table":"crawl_runs","row":{"id":"{{{Recorded}}}","status":"COMPLETED","app_package":"org.example.app","device_config":null,
        """ +
        """
        "max_steps":300,"goal":null,"created_at":"2026-11-23T00:18:58.819Z","started_at":"2026-11-23T00:19:00.884123Z",
        """ +
        """
        "completed_at":null,"cancelled_at":null,"error_message":null}}
        """;

    private RecordingImporter Importer => new(DataSource);

    private RecordingExporter Exporter => new(DataSource);

    [Test]
    public async Task An_exported_crawl_is_imported_equal()
    {
        var crawl = await CreateCrawlAsync();
        await Runs.StartAsync(crawl);
        await Events.AppendAsync(crawl, EventsOf(2_345));
        await Events.AppendAsync(crawl, new NewCrawlEvent
        {
            EventType = "é😀",
            Payload = Jsonb.Parse("""{"raw": "<&\u00e9\"\\", "n": 1e-7}"""),
            CreatedAt = DateTimeOffset.UnixEpoch.AddMicroseconds(1),
        });
        await Runs.FailAsync(crawl, "a \"reason\"\nof two lines");

        var result = await ImportAsync(await ExportAsync(crawl), new RecordingImportOptions { NewIds = true });

        var copy = result.CrawlIds.Single();
        Assert.That(await Runs.GetAsync(copy), Is.EqualTo((await Runs.GetAsync(crawl))! with { Id = copy }));
        Assert.That(
            (await Events.StreamAsync(copy).ToListAsync()).Select(crawlEvent => crawlEvent with { Id = 0 }),
            Is.EqualTo((await Events.StreamAsync(crawl).ToListAsync()).Select(crawlEvent => crawlEvent with { Id = 0, CrawlId = copy })));
        Assert.That((result.Total.Runs, result.Total.Events), Is.EqualTo((1, 2_346)));
    }

    [Test]
    public async Task Lines_have_the_documented_form()
    {
        var recording = Run + "\n" + EventLine("step", """{"a":1}""") + "\n";

        var crawl = (await ImportAsync(recording, new RecordingImportOptions { NewIds = true })).CrawlIds.Single();

        Assert.That(
            (await ExportAsync(crawl)).Replace(crawl.ToString(), Recorded.ToString(), StringComparison.Ordinal),
            Is.EqualTo(recording.Replace("{\"a\":1}", "{\"a\": 1}", StringComparison.Ordinal)));
    }

    [Test]
    public async Task An_exported_session_is_imported_equal_with_its_pages_artifacts_and_log()
    {
        var session = await EnqueueAsync("https://example.org/a?b=c");
        await Queue.StartAsync(session);
        var pages = await Pages.InsertAsync(session, [Page(), Page(PageType.Pdp, Viewport.Mobile)]);
        var artifacts = await Artifacts.InsertAsync(session,
        [
            Artifact(pages[0].Id, 1) with { Checksum = "sha256:1" },
            Artifact(pages[1].Id, 2) with { KeepForever = true },
            Artifact(pages[1].Id, 3) with { RetentionUntil = DateTimeOffset.UnixEpoch },
        ]);
        await Artifacts.MarkDeletedAsync(session, [artifacts[2].Id]);
        await Logs.AppendAsync(session, Enumerable.Range(1, 25_000).Select(number => Line(number, DateTimeOffset.UnixEpoch.AddSeconds(number / 7))));
        await Queue.CompletePartiallyAsync(session, 1, "no product page");

        var result = await ImportAsync(await ExportSessionAsync(session), new RecordingImportOptions { NewIds = true });

        var copy = result.SessionIds.Single();
        var all = new ArtifactFilter { IncludeDeleted = true };
        var copies = await Pages.ListAsync(copy);
        Assert.That(await Sessions.GetAsync(copy), Is.EqualTo((await Sessions.GetAsync(session))! with { Id = copy }));
        Assert.That(
            copies.Select(page => page with { Id = default }),
            Is.EqualTo((await Pages.ListAsync(session)).Select(page => page with { Id = default, SessionId = copy })));
        Assert.That(
            (await Artifacts.ListAsync(copy, all)).Select(artifact => artifact with { Id = default }),
            Is.EquivalentTo((await Artifacts.ListAsync(session, all)).Select(artifact => artifact with
            {
                Id = default,
                SessionId = copy,
                PageId = copies[pages.ToList().FindIndex(page => page.Id == artifact.PageId)].Id,
            })));
        Assert.That(
            (await Logs.StreamAsync(copy).ToListAsync()).Select(line => line with { Id = 0 }),
            Is.EqualTo((await Logs.StreamAsync(session).ToListAsync()).Select(line => line with { Id = 0, SessionId = copy })));
        Assert.That(result.Total.Rows, Is.EqualTo(1 + 2 + 3 + 25_001));
    }

    [Test]
    public async Task Pages_and_artifacts_of_one_call_keep_their_order_also_after_an_export_and_an_import()
    {
        var session = await EnqueueAsync();
        var pages = await Pages.InsertAsync(session, Enumerable.Repeat(Page(), 200));
        await Artifacts.InsertAsync(session, Enumerable.Range(1, 10_000).Select(number => Artifact(pages[number % 200].Id, number)));
        var options = new RecordingImportOptions { NewIds = true, Enqueue = true };
        var copy = (await ImportAsync(await ExportSessionAsync(session), options)).SessionIds.Single();

        Assert.That((await Pages.ListAsync(session)).Select(page => page.Id), Is.EqualTo(pages.Select(page => page.Id)));
        var copies = (await Pages.ListAsync(copy)).Select(page => page.Id).ToList();
        foreach (var (id, pageIds) in new[] { (session, pages.Select(page => page.Id).ToList()), (copy, copies) })
        {
            Assert.That(
                (await Artifacts.ListAsync(id)).Select(artifact => (artifact.SizeBytes, artifact.PageId)),
                Is.EqualTo(Enumerable.Range(1, 10_000).Select(number => ((long)number, pageIds[number % 200]))));
        }
    }

    [TestCase("""{"table":"audit_sessions","row":SESSION}""", "Line 3: Session 11111111-1111-1111-1111-111111111111 occurs twice in the recording.")]
    [TestCase("""{"table":"audit_pages","row":PAGE}""", "Line 3: Page 22222222-2222-2222-2222-222222222222 occurs twice in the recording.")]
    [TestCase(
        """{"table":"audit_sessions","row":"""
            + """{"url":"ftp://a","status":"queued","mode":"debug","retention_policy":"long","crawl_policy_version":"1","config_snapshot":{}}}""",
        "Line 3: url: is not an absolute http or https URL.")]
    [TestCase(
        """{"table":"audit_sessions","row":"""
            + """{"url":"http://a","status":"waiting","mode":"debug","retention_policy":"long","crawl_policy_version":"1","config_snapshot":{}}}""",
        "Line 3: status: has another text; it takes one of queued, running, completed, failed and partial.")]
    [TestCase(
        """{"table":"audit_sessions","row":"""
            + """{"url":"http://a","status":"queued","mode":"debug","retention_policy":"long","crawl_policy_version":"1","config_snapshot":"""
            + """{},"attempts":-1}}""",
        "Line 3: attempts: is -1; the least is 0.")]
    [TestCase(
        """{"table":"audit_sessions","row":"""
            + """{"url":"http://a","status":"queued","mode":"debug","retention_policy":"long","crawl_policy_version":"1","config_snapshot":"""
            + """{},"attempts":1000001}}""",
        "Line 3: attempts: is 1000001; the most is 1000000.")]
    [TestCase(
        """{"table":"audit_sessions","row":"""
            + """{"url":"http://a","status":"queued","mode":"debug","retention_policy":"long","crawl_policy_version":"1","config_snapshot":"""
            + """{},"attempts":2147483647}}""",
        "Line 3: attempts: is 2147483647; the most is 1000000.")]
    [TestCase(
        """{"table":"audit_pages","row":"""
            + """{"session_id":"33333333-3333-3333-3333-333333333333","page_type":"pdp","viewport":"mobile","status":"ok","load_timings":{}"""
            + ""","low_confidence_reasons":[]}}""",
        "Line 3: There is no session 33333333-3333-3333-3333-333333333333 in the recording before this line.")]
    [TestCase(
        """
        {"table":"artifacts","row":{"session_id":"11111111-1111-1111-1111-111111111111","page_id":"33333333-3333-3333-3333-333333333333",
        """ +
        """
        "type":"html_gz","storage_uri":"s3://a","size_bytes":1}}
        """,
        "Line 3: There is no page 33333333-3333-3333-3333-333333333333 in the recording before this line.")]
    [TestCase(
        """
        {"table":"artifacts","row":{"session_id":"11111111-1111-1111-1111-111111111111","page_id":"22222222-2222-2222-2222-222222222222",
        """ +
        """
        "type":"html_gz","storage_uri":"","size_bytes":1}}
        """,
        "Line 3: storage_uri: is empty.")]
    [TestCase(
        """{"table":"crawl_logs","row":{"session_id":"11111111-1111-1111-1111-111111111111","level":"info","event_type":"popup","message":"a"}}""",
        "Line 3: details: is missing; a row of crawl_logs needs session_id, level, event_type, message and details.")]
    public async Task An_invalid_audit_line_is_an_error_with_its_number_and_nothing_is_stored(string line, string message)
    {
        const string session =
            """
            {"id":"11111111-1111-1111-1111-111111111111","url":"http://a","status":"queued","mode":"debug","retention_policy":"long",
            """ +
            """
            "crawl_policy_version":"1","config_snapshot":{}}
            """;
        const string page =
            """
            {"id":"22222222-2222-2222-2222-222222222222","session_id":"11111111-1111-1111-1111-111111111111","page_type":"pdp",
            """ +
            """
            "viewport":"mobile","status":"ok","load_timings":{},"low_confidence_reasons":[]}
            """;
        var bad = line.Replace("SESSION", session, StringComparison.Ordinal).Replace("PAGE", page, StringComparison.Ordinal);

        var exception = await Assert.ThrowsAsync<RecordingException>(() => ImportAsync(
            $$"""
            {"table":"audit_sessions","row":{{session}}}
            {"table":"audit_pages","row":{{page}}}
            {{bad}}
            """));

        Assert.That(exception!.Message, Is.EqualTo(message));
        Assert.That(await Sessions.GetAsync(new Guid("11111111-1111-1111-1111-111111111111")), Is.Null);
    }

    /// <summary>A running session becomes stale, and a rescue queues it. A partial one is only requeued by name.</summary>
    [TestCase("queued", true)]
    [TestCase("running", true)]
    [TestCase("completed", false)]
    [TestCase("failed", false)]
    [TestCase("partial", false)]
    public async Task A_session_that_workers_would_take_is_imported_only_on_request(string status, bool isWork)
    {
        var (first, second) = (Guid.NewGuid(), Guid.NewGuid());
        var recording = $"{SessionLine(first, "completed")}\n{SessionLine(second, status)}\n{Run}\n";
        var options = new RecordingImportOptions { NewIds = true };

        if (isWork)
        {
            var exception = await Assert.ThrowsAsync<RecordingException>(() => ImportAsync(recording));

            Assert.That(exception!.Message, Is.EqualTo(
                "Line 2: is work, which workers would take (enqueue would allow it). PENDING runs: 0; queued or running sessions: 1."));
            Assert.That(await Sessions.GetAsync(first), Is.Null);
            options = new RecordingImportOptions { NewIds = true, Enqueue = true };
        }

        var result = await ImportAsync(recording, options);

        Assert.That((result.EnqueuedRuns, result.EnqueuedSessions), Is.EqualTo((0, isWork ? 1 : 0)));
        Assert.That((await Sessions.GetAsync(result.SessionIds[1]))!.Status.ToString(), Is.EqualTo(status).IgnoreCase);
    }

    [TestCase("PENDING", true)]
    [TestCase("RUNNING", false)]
    [TestCase("FAILED", false)]
    [TestCase("CANCELLED", false)]
    public async Task A_run_that_workers_would_take_is_imported_only_on_request(string status, bool isWork)
    {
        var app = $"app.{Guid.NewGuid():N}";
        var recording = Run.Replace("COMPLETED", status, StringComparison.Ordinal).Replace("org.example.app", app, StringComparison.Ordinal) + "\n"
            + EventLine("step", "{}");
        var options = new RecordingImportOptions { NewIds = true };

        if (isWork)
        {
            var exception = await Assert.ThrowsAsync<RecordingException>(() => ImportAsync(recording, options));

            Assert.That(exception!.Message, Is.EqualTo(
                "Line 1: is work, which workers would take (enqueue would allow it). PENDING runs: 1; queued or running sessions: 0."));
            Assert.That((await Runs.ListAsync(new CrawlRunFilter { AppPackage = app })).Items, Is.Empty);
            options = new RecordingImportOptions { NewIds = true, Enqueue = true };
        }

        var result = await ImportAsync(recording, options);

        Assert.That((result.EnqueuedRuns, result.EnqueuedSessions), Is.EqualTo((isWork ? 1 : 0, 0)));
        Assert.That((await Runs.GetAsync(result.CrawlIds.Single()))!.Status.ToString(), Is.EqualTo(status).IgnoreCase);
    }

    [Test]
    public async Task A_retention_time_that_has_passed_is_imported_only_on_request([Values] bool allowExpired)
    {
        var session = await EnqueueAsync();
        await Queue.StartAsync(session);
        var page = await Pages.InsertAsync(session, Page());
        var (past, future) = (DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(1_000));
        var artifacts = await Artifacts.InsertAsync(session,
        [
            Artifact(page.Id, 1) with { RetentionUntil = past },
            Artifact(page.Id, 2) with { RetentionUntil = future },
            Artifact(page.Id, 3) with { RetentionUntil = past },
            Artifact(page.Id, 4) with { KeepForever = true },
        ]);
        await Artifacts.MarkDeletedAsync(session, [artifacts[2].Id]);
        await Queue.CompleteAsync(session, 1);

        var result = await ImportAsync(await ExportSessionAsync(session), new RecordingImportOptions { NewIds = true, AllowExpired = allowExpired });

        var copies = await Artifacts.ListAsync(result.SessionIds.Single(), new ArtifactFilter { IncludeDeleted = true });
        Assert.That(result.ExpiredArtifacts, Is.EqualTo(1));
        Assert.That(
            copies.OrderBy(artifact => artifact.SizeBytes).Select(artifact => artifact.RetentionUntil),
            Is.EqualTo([allowExpired ? past : null, future, past, (DateTimeOffset?)null]));
    }

    [Test]
    public async Task An_artifact_belongs_to_a_page_of_its_session()
    {
        var (one, other) = (await EnqueueAsync(), await EnqueueAsync());
        var page = await Pages.InsertAsync(one, Page());
        await Artifacts.InsertAsync(one, Artifact(page.Id));
        var recording = await ExportSessionAsync(other) + (await ExportSessionAsync(one)).Replace(
            $$$"""artifacts","row":{"id":"{{{(await Artifacts.ListAsync(one)).Single().Id}}}","session_id":"{{{one}}}""",
            $$$"""artifacts","row":{"id":null,"session_id":"{{{other}}}""",
            StringComparison.Ordinal);

        await Assert.ThatAsync(
            () => ImportAsync(recording, new RecordingImportOptions { NewIds = true }),
            Throws.InstanceOf<RecordingException>().With.Message.EndsWith($"Page {page.Id} belongs to another session."));
    }

    [Test]
    public async Task A_duplicate_page_is_an_error_of_its_batch()
    {
        var session = await EnqueueAsync();
        await Pages.InsertAsync(session, [Page(), Page()]);
        var recording = (await ExportSessionAsync(session)).Replace(session.ToString(), Guid.NewGuid().ToString(), StringComparison.Ordinal);

        var exception = await Assert.ThrowsAsync<RecordingException>(() => ImportAsync(recording));

        Assert.That(exception!.Message, Is.EqualTo("Line 1: One of 2 pages exists already. It is on a line between this one and line 3."));
    }

    /// <summary>The next batch is read while the duplicate's batch is stored.</summary>
    [Test]
    public async Task An_error_of_a_batch_comes_before_errors_of_the_next_one()
    {
        var session = await EnqueueAsync();
        await Pages.InsertAsync(session, [Page(), Page()]);
        await Logs.AppendAsync(session, Enumerable.Range(0, 998).Select(number => Line(number)));
        var recording = (await ExportSessionAsync(session)).Replace(session.ToString(), Guid.NewGuid().ToString(), StringComparison.Ordinal);

        var exception = await Assert.ThrowsAsync<RecordingException>(() => ImportAsync(recording + "{\n"));

        Assert.That(exception!.Errors.Select(error => error.Line), Is.EqualTo(new[] { 1, 1_002 }));
    }

    [TestCase("{\"table\":", "Line 3: json: is not well-formed, at or after byte 9.")]
    [TestCase(
        "{\"table\":\"artifacts\",\"row\":{}}",
        "Line 3: session_id: is missing; a row of artifacts needs session_id, page_id, type, storage_uri and size_bytes.")]
    [TestCase(
        "{\"table\":\"pg_class\",\"row\":{}}",
        "Line 3: table: is not one of crawl_runs, crawl_events, audit_sessions, audit_pages, artifacts, crawl_logs.")]
    [TestCase("{\"row\":{}}", "Line 3: is not of the form {\"table\": name, \"row\": {column: value}}.")]
    [TestCase("null", "Line 3: is not of the form {\"table\": name, \"row\": {column: value}}.")]
    [TestCase(
        "{\"table\":\"crawl_runs\",\"row\":null}",
        "Line 3: is null; a row of crawl_runs is an object with id, status, app_package, device_config, max_steps, goal, created_at, "
            + "started_at, completed_at, cancelled_at and error_message.")]
    [TestCase(
        """{"table":"crawl_events","row":{"crawl_id":"db893442-4075-4ab8-8b1e-865d89f72223","event_type":"a"}}""",
        "Line 3: payload: is missing; a row of crawl_events needs crawl_id, event_type and payload.")]
    [TestCase(
        """{"table":"crawl_events","row":{"crawl_id":"db893442-4075-4ab8-8b1e-865d89f72223","event_type":"a","payload":1,"payload":2}}""",
        "Line 3: payload: occurs twice.")]
    [TestCase(
        """{"table":"crawl_events","row":{"crawl_id":"db893442-4075-4ab8-8b1e-865d89f72223","event_type":"a","payload":1,"url":"secret"}}""",
        "Line 3: field 4 is not one of crawl_events, which has crawl_id, event_type, payload and created_at.")]
    [TestCase(
        """{"table":"crawl_events","row":{"crawl_id":"db893442-4075-4ab8-8b1e-865d89f72223","event_type":"a","payload":1,"created_at":"2026-11-23T00:"""
            + """18:58"}}""",
        "Line 3: created_at: has no offset, and none is assumed; it takes a time with its offset, such as 2026-11-23T08:30:00Z or "
            + "2026-11-23 09:30:00.5+01:00.")]
    [TestCase(
        """{"table":"crawl_events","row":{"crawl_id":"db893442-4075-4ab8-8b1e-865d89f72223","event_type":null,"payload":1}}""",
        "Line 3: event_type: is null; it takes text.")]
    [TestCase(
        """{"table":"crawl_events","row":{"crawl_id":"db893442-4075-4ab8-8b1e-865d89f72223","event_type":"","payload":1}}""",
        "Line 3: event_type: is empty; it takes 1 to 50 characters.")]
    [TestCase(
        """{"table":"crawl_events","row":{"crawl_id":"db893442-4075-4ab8-8b1e-865d89f72223","event_type":"a","payload":"\u0000"}}""",
        "Line 3: json: holds U+0000 at byte 109, which jsonb cannot store (repair would replace it).")]
    [TestCase(
        """{"table":"crawl_events","row":{"crawl_id":"11111111-4075-4ab8-8b1e-865d89f72223","event_type":"a","payload":1}}""",
        "Line 3: There is no crawl 11111111-4075-4ab8-8b1e-865d89f72223 in the recording before this line.")]
    public async Task An_invalid_line_is_an_error_with_its_number_and_nothing_is_stored(string line, string message)
    {
        var app = $"app.{Guid.NewGuid():N}";
        var first = Run.Replace("org.example.app", app, StringComparison.Ordinal)
            .Replace(Recorded.ToString(), Guid.NewGuid().ToString(), StringComparison.Ordinal);
        var recording = $"{first}\n\n{line}\n{Run}\n";

        var exception = await Assert.ThrowsAsync<RecordingException>(() => ImportAsync(recording));

        Assert.That(exception!.Message, Is.EqualTo(message));
        Assert.That(exception.Line, Is.EqualTo(3));
        Assert.That((await Runs.ListAsync(new CrawlRunFilter { AppPackage = app })).Items, Is.Empty);
    }

    /// <summary>A child of an invalid row is no error of its own: its parent may be on the invalid line.</summary>
    [Test]
    public async Task All_invalid_lines_are_reported_up_to_a_limit_and_nothing_is_stored()
    {
        var (first, second, third) = (Guid.NewGuid(), Guid.NewGuid(), Guid.NewGuid());
        string[] lines =
        [
            RunOf(first),
            EventLine("step", "{}").Replace(Recorded.ToString(), first.ToString(), StringComparison.Ordinal),
            "{",
            EventLine("", "{}").Replace(Recorded.ToString(), first.ToString(), StringComparison.Ordinal),
            RunOf(second).Replace("app_package", "package", StringComparison.Ordinal),
            EventLine("step", "{}").Replace(Recorded.ToString(), second.ToString(), StringComparison.Ordinal),
            RunOf(third),
            EventLine("step", "{}").Replace(Recorded.ToString(), third.ToString(), StringComparison.Ordinal).Replace("2026-", "26-", StringComparison.Ordinal),
        ];
        var recording = string.Join('\n', lines);

        var all = await Assert.ThrowsAsync<RecordingException>(() => ImportAsync(recording));
        var two = await Assert.ThrowsAsync<RecordingException>(() => ImportAsync(recording, new RecordingImportOptions { MaxErrors = 2 }));

        Assert.That(all!.Errors.Select(error => error.Line), Is.EqualTo([3L, 4L, 5L, 8L]));
        Assert.That((all.Line, all.Reason), Is.EqualTo((3L, all.Errors[0].Reason)));
        Assert.That(all.Message, Does.StartWith("Line 3: json: is not well-formed").And.EndsWith(" 3 more invalid lines follow."));
        Assert.That(two!.Errors.Select(error => error.Line), Is.EqualTo([3L, 4L]));
        Assert.That(await Runs.GetAsync(first), Is.Null);
        Assert.That(await Runs.GetAsync(third), Is.Null);

        static string RunOf(Guid id) => Run.Replace(Recorded.ToString(), id.ToString(), StringComparison.Ordinal);
    }

    [Test]
    public async Task A_duplicate_run_is_an_error_of_its_line()
    {
        var crawl = await CreateCrawlAsync();
        var recording = Run.Replace(Recorded.ToString(), crawl.ToString(), StringComparison.Ordinal);

        var exception = await Assert.ThrowsAsync<RecordingException>(() => ImportAsync(recording));

        Assert.That(exception!.Message, Is.EqualTo($"Line 1: Crawl {crawl} exists already."));
    }

    [Test]
    public async Task Crawled_text_is_repaired_on_request()
    {
        var recording = Run + "\n" + EventLine("a\\u0000", "\"\\ud83d\"") + "\r\n";

        var crawl = (await ImportAsync(recording, new RecordingImportOptions { NewIds = true, Repair = true })).CrawlIds.Single();

        var stored = await Events.GetLastAsync(crawl);
        Assert.That((stored!.EventType, stored.Payload), Is.EqualTo(("a\ufffd", Jsonb.Parse("\"\ufffd\""))));
    }

    [Test]
    public async Task Events_of_a_crawl_outside_the_recording_are_refused([Values] bool newIds)
    {
        var crawl = await CreateCrawlAsync();
        var recording = EventLine("step", "{}").Replace(Recorded.ToString(), crawl.ToString(), StringComparison.Ordinal) + "\n"
            + Run.Replace(Recorded.ToString(), crawl.ToString(), StringComparison.Ordinal);

        await Assert.ThrowsAsync<RecordingException>(() => ImportAsync(recording, new RecordingImportOptions { NewIds = newIds }));

        Assert.That(await Events.CountAsync(crawl), Is.Zero);
    }

    [TestCase("\"RUNNING, COMPLETED\"")]
    [TestCase("\"running\"")]
    [TestCase("4")]
    public async Task A_status_is_one_of_its_labels(string status)
    {
        var recording = Run.Replace("\"COMPLETED\"", status, StringComparison.Ordinal);

        await Assert.ThatAsync(() => ImportAsync(recording, new RecordingImportOptions { NewIds = true }), Throws.InstanceOf<RecordingException>());
    }

    [Test]
    public async Task A_byte_order_mark_and_blank_lines_are_skipped() =>
        Assert.That((await ImportAsync("\ufeff" + Run + "\n \t\r\n\n", new RecordingImportOptions { NewIds = true })).CrawlIds, Has.Count.EqualTo(1));

    [Test]
    public async Task A_last_line_without_a_line_break_is_read()
    {
        Assert.That((await ImportAsync(Run, new RecordingImportOptions { NewIds = true })).CrawlIds, Has.Count.EqualTo(1));
        Assert.That((await ImportAsync("")).CrawlIds, Is.Empty);
    }

    /// <summary>The last event and the run's end are one transaction, so a snapshot has both or neither.</summary>
    [Test]
    public async Task A_running_crawl_is_exported_from_one_snapshot()
    {
        var crawl = await CreateCrawlAsync();
        await Events.AppendAsync(crawl, EventsOf(3));
        await using var ended = DataSource.CreateConnection();
        await ended.OpenAsync();
        await using var transaction = await ended.BeginTransactionAsync();
        await new NpgsqlCommand("lock table crawl_events in access exclusive mode", ended, transaction).ExecuteNonQueryAsync();
        using var recording = new MemoryStream();

        // The export has read the run, and waits for its events. Other cases wait for the lock, too.
        await using var source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(Database.ConnectionString) { ApplicationName = "snapshot" });
        var exporting = new RecordingExporter(source).ExportCrawlAsync(crawl, recording);
        await Wait.UntilAsync(
            DataSource, "select count(*) > 0 from pg_stat_activity where application_name = 'snapshot' and wait_event_type = 'Lock'");
        await Events.AppendAsync(crawl, Event(4), transaction);
        await Runs.CancelAsync(crawl, transaction);
        await transaction.CommitAsync();

        Assert.That((await exporting).Events, Is.EqualTo(3));
        Assert.That(Encoding.UTF8.GetString(recording.ToArray()), Does.Contain("PENDING").And.Not.Contain("CANCELLED"));
    }

    [Test]
    public async Task An_export_of_an_unknown_id_writes_nothing()
    {
        using var recording = new MemoryStream();

        await Assert.ThrowsAsync<RowNotFoundException>(() => Exporter.ExportCrawlAsync(Guid.CreateVersion7(), recording));
        await Assert.ThrowsAsync<RowNotFoundException>(() => Exporter.ExportSessionAsync(Guid.CreateVersion7(), recording));

        Assert.That(recording.Length, Is.Zero);
    }

    [Test]
    public async Task Lines_may_be_split_into_any_reads()
    {
        var recording = Run + "\n" + string.Concat(Enumerable.Range(0, 300).Select(number => EventLine("step", $$"""{"number":{{number}}}""") + "\n"));

        var result = await Importer.ImportAsync(new OneByteAtATime(Encoding.UTF8.GetBytes(recording)), new RecordingImportOptions { NewIds = true });

        Assert.That(await Events.CountAsync(result.CrawlIds.Single()), Is.EqualTo(300));
        Assert.That(result.Total.Bytes, Is.EqualTo(Encoding.UTF8.GetByteCount(recording)));
    }

    private static string SessionLine(Guid id, string status) =>
        $$$"""
        {"table":"audit_sessions","row":{"id":"{{{id}}}","url":"http://a","status":"{{{status}}}","mode":"debug","retention_policy":"long",
        """ +
        """
        "crawl_policy_version":"1","config_snapshot":{}}}
        """;

    private static string EventLine(string eventType, string payload) =>
        $$$"""
        {"table":"crawl_events","row":{"crawl_id":"{{{Recorded}}}","event_type":"{{{eventType}}}","payload":{{{payload}}},
        """ +
        """
        "created_at":"2026-11-23T00:19:00.949Z"}}
        """;

    private async Task<RecordingImportResult> ImportAsync(string recording, RecordingImportOptions? options = null)
    {
        using var stream = new MemoryStream(Encoding.UTF8.GetBytes(recording));
        return await Importer.ImportAsync(stream, options);
    }

    private async Task<string> ExportAsync(Guid crawl)
    {
        using var stream = new MemoryStream();
        await Exporter.ExportCrawlAsync(crawl, stream);
        return Encoding.UTF8.GetString(stream.ToArray());
    }

    private async Task<string> ExportSessionAsync(Guid session)
    {
        using var stream = new MemoryStream();
        await Exporter.ExportSessionAsync(session, stream);
        return Encoding.UTF8.GetString(stream.ToArray());
    }

    private sealed class OneByteAtATime(byte[] bytes) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..1], cancellationToken);
    }
}
