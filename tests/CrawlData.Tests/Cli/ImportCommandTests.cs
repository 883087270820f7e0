using System.IO.Compression;
using CrawlData.Cli;
using CrawlData.Recordings;

namespace CrawlData.Tests.Cli;

public sealed class ImportCommandTests : ToolTest
{
    [Test]
    public async Task A_recording_on_standard_input_is_stored_and_its_ids_are_printed()
    {
        var crawlId = Guid.NewGuid();

        var result = await RunWithInputAsync(Recording(crawlId, "{}", "[1]"), "import", "-");

        AssertDone(result);
        Assert.That(result.Column("crawl_id"), Is.EqualTo([crawlId.ToString()]));
        Assert.That((await Events.StreamAsync(crawlId).ToListAsync()).Select(stored => stored.Payload.ToString()), Is.EqualTo(["{}", "[1]"]));
    }

    [Test]
    public async Task A_compressed_recording_can_be_imported_twice_with_new_ids()
    {
        var crawlId = Guid.NewGuid();
        var file = TemporaryFile("crawl.ndjson.gz");
        await using (var compressed = new StreamWriter(new GZipStream(File.Create(file), CompressionLevel.Fastest)))
        {
            await compressed.WriteAsync(Recording(crawlId, "{}"));
        }

        var first = await RunAsync("import", file, "--new-ids");
        var second = await RunAsync("import", file, "--new-ids");

        AssertDone(first);
        AssertDone(second);
        Assert.That(first.Column("crawl_id").Concat(second.Column("crawl_id")).Append(crawlId.ToString()), Is.Unique);
        Assert.That(await Events.CountAsync(Guid.Parse(first.Column("crawl_id")[0]!)), Is.EqualTo(1));
    }

    [Test]
    public async Task An_invalid_line_is_reported_with_its_file_and_nothing_is_stored()
    {
        var crawlId = Guid.NewGuid();
        var file = TemporaryFile("bad.ndjson");
        await File.WriteAllTextAsync(file, Recording(crawlId, "{}", "{") + Recording(Guid.NewGuid()));

        var result = await RunAsync("import", file);

        AssertFailed(result, 1, $"{file}:3: json: is not well-formed, at or after byte 114.");
        Assert.That(await Runs.GetAsync(crawlId), Is.Null);
    }

    [Test]
    public async Task An_invalid_line_of_standard_input_is_reported_with_its_number()
    {
        var crawlId = Guid.NewGuid();

        var result = await RunWithInputAsync(Recording(crawlId) + Recording(crawlId), "import", "-");

        AssertFailed(result, 1, $"<stdin>:2: Crawl {crawlId} occurs twice in the recording.");
    }

    [Test]
    public async Task A_truncated_compressed_recording_stores_nothing()
    {
        var crawlId = Guid.NewGuid();
        var file = TemporaryFile("cut.ndjson.gz");
        using (var whole = new MemoryStream())
        {
            await using (var compressed = new StreamWriter(new GZipStream(whole, CompressionLevel.Fastest, leaveOpen: true)))
            {
                await compressed.WriteAsync(Recording(crawlId));
                await compressed.FlushAsync();
                await compressed.BaseStream.FlushAsync();
                await compressed.WriteAsync(Recording(Guid.NewGuid()));
            }

            // The first line and a part of the second.
            await File.WriteAllBytesAsync(file, whole.ToArray()[..^20]);
        }

        var result = await RunAsync("import", file);

        Assert.That((result.ExitCode, result.Error), Is.EqualTo((1, $"{file}:2: Found truncated data while decoding.{Environment.NewLine}")));
        Assert.That(await Runs.GetAsync(crawlId), Is.Null);
    }

    [Test]
    public async Task Each_invalid_line_is_reported_up_to_a_limit()
    {
        var crawlId = Guid.NewGuid();
        var recording = Recording(crawlId, "{}", "{", "}", "[");

        var all = await RunWithInputAsync(recording, "import", "-");
        var two = await RunWithInputAsync(recording, "import", "-", "--max-errors", "2");

        AssertFailed(all, 1, """
            <stdin>:3: json: is not well-formed, at or after byte 114.
            <stdin>:4: json: is not well-formed, at or after byte 111.
            <stdin>:5: json: is not well-formed, at or after byte 112.
            crawldata: 3 lines are invalid. Nothing was stored.
            """);
        Assert.That(two.Error.ReplaceLineEndings("\n"), Does.EndWith("\ncrawldata: 2 lines are invalid, and there may be more. Nothing was stored.\n"));
        Assert.That(await Runs.GetAsync(crawlId), Is.Null);
    }

    [Test]
    public async Task A_compressed_recording_needs_no_name_and_one_in_UTF_16_is_named()
    {
        var crawlId = Guid.NewGuid();
        var (compressed, utf16) = (TemporaryFile("crawl.ndjson"), TemporaryFile("crawl.ndjson"));
        await using (var writer = new StreamWriter(new GZipStream(File.Create(compressed), CompressionLevel.Fastest)))
        {
            await writer.WriteAsync(Recording(crawlId, "{}"));
        }

        await File.WriteAllTextAsync(utf16, Recording(crawlId), System.Text.Encoding.Unicode);

        AssertDone(await RunAsync("import", compressed));
        AssertFailed(await RunAsync("import", utf16), 1, $"{utf16}:1: is in UTF-16; the input has to be NDJSON in UTF-8.");
        Assert.That(await Events.CountAsync(crawlId), Is.EqualTo(1));
    }

    /// <summary>The file of 0.1 MB would unpack to 128 MB of blank lines.</summary>
    [Test]
    public async Task A_recording_that_unpacks_to_far_more_than_its_size_is_refused_at_its_line()
    {
        using var packed = new MemoryStream();
        await using (var compressed = new GZipStream(packed, CompressionLevel.SmallestSize, leaveOpen: true))
        {
            var line = System.Text.Encoding.UTF8.GetBytes(new string(' ', (1024 * 1024) - 1) + "\n");
            for (var number = 0; number < 128; number++)
            {
                await compressed.WriteAsync(line);
            }
        }

        packed.Position = 0;
        await using var unpacked = new UnpackedRecording(new StoredRecording(packed));

        var exception = await Assert.ThrowsAsync<RecordingException>(() => new RecordingImporter(DataSource).ImportAsync(unpacked));

        Assert.That(exception!.Reason, Does.StartWith("The recording unpacks to more than 200 times its size."));
        Assert.That(exception.Line, Is.InRange(15, 120));
    }

    [Test]
    public async Task Text_that_cannot_be_stored_is_refused_and_repair_replaces_it()
    {
        var crawlId = Guid.NewGuid();
        var recording = Recording(crawlId, """{"title":"a\u0000b\ud800c"}""");

        var plain = await RunWithInputAsync(recording, "import", "-");
        var repaired = await RunWithInputAsync(recording, "import", "-", "--repair");

        Assert.That(plain.ExitCode, Is.EqualTo(1));
        Assert.That(plain.Error, Does.StartWith("<stdin>:2: json: holds U+0000 at byte "));
        AssertDone(repaired);
        Assert.That((await Events.StreamAsync(crawlId).ToListAsync()).Single().Payload, Is.EqualTo(Jsonb.Parse("{\"title\":\"a\uFFFDb\uFFFDc\"}")));
    }

    [Test]
    public async Task Work_and_expired_artifacts_are_imported_only_on_request()
    {
        var (sessionId, pageId) = (Guid.NewGuid(), Guid.NewGuid());
        var recording =
            $$$$"""
            {"table":"crawl_runs","row":{"app_package":"org.example.app"}}
            {"table":"audit_sessions","row":{"id":"{{{{sessionId}}}}","url":"http://127.0.0.1/","status":"queued",
             "mode":"debug","retention_policy":"long","crawl_policy_version":"1","config_snapshot":{}}}
            {"table":"audit_pages","row":{"id":"{{{{pageId}}}}","session_id":"{{{{sessionId}}}}","page_type":"pdp","viewport":"mobile",
             "status":"ok","load_timings":{},"low_confidence_reasons":[]}}
            {"table":"artifacts","row":{"session_id":"{{{{sessionId}}}}","page_id":"{{{{pageId}}}}","type":"html_gz",
             "storage_uri":"file:///a","size_bytes":1,"retention_until":"2020-01-01T00:00:00Z"}}
            """.ReplaceLineEndings("\n").Replace(",\n", ",", StringComparison.Ordinal);

        var refused = await RunWithInputAsync(recording, "import", "-");
        Assert.That(await Sessions.GetAsync(sessionId), Is.Null);
        var enqueued = await RunWithInputAsync(recording, "import", "-", "--new-ids", "--enqueue");
        var expired = await RunWithInputAsync(recording, "import", "-", "--new-ids", "--enqueue", "--allow-expired");

        AssertFailed(
            refused, 1, "<stdin>:1: is work, which workers would take (enqueue would allow it). PENDING runs: 1; queued or running sessions: 1.");
        Assert.That((enqueued.ExitCode, enqueued.Error.ReplaceLineEndings("\n")), Is.EqualTo((0,
            "Workers will take 1 run and 1 session.\n1 artifact had expired: they are stored without a retention time, and no sweep deletes them.\n")));
        Assert.That((expired.ExitCode, expired.Error.ReplaceLineEndings("\n")), Is.EqualTo((0,
            "Workers will take 1 run and 1 session.\n1 artifact had expired: the next sweep deletes them.\n")));
        Assert.That(await RetentionAsync(enqueued), Is.Null);
        Assert.That(await RetentionAsync(expired), Is.EqualTo(new DateTimeOffset(2020, 1, 1, 0, 0, 0, TimeSpan.Zero)));
    }

    private async Task<DateTimeOffset?> RetentionAsync(ToolResult result) =>
        (await Artifacts.ListAsync(result.Rows[^1].ToElement().GetProperty("session_id").GetGuid())).Single().RetentionUntil;

    private static string Recording(Guid crawlId, params string[] payloads) => string.Concat(
    [
        $$$"""{"table":"crawl_runs","row":{"id":"{{{crawlId}}}","app_package":"org.example.app","status":"COMPLETED"}}""" + "\n",
        .. payloads.Select(payload =>
            $$$$"""{"table":"crawl_events","row":{"crawl_id":"{{{{crawlId}}}}","event_type":"step","payload":{{{{payload}}}}}}""" + "\n"),
    ]);
}
