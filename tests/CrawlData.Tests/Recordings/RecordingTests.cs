using System.Text;
using CrawlData.Crawls;
using CrawlData.Recordings;

namespace CrawlData.Tests.Recordings;

public sealed class RecordingTests : DatabaseTest
{
    private static readonly Guid Recorded = new("db893442-4075-4ab8-8b1e-865d89f72223");

    private static readonly string Run = $$$"""{"table":"crawl_runs","row":{"id":"{{{Recorded}}}","status":"COMPLETED","app_package":"org.example.app","device_config":null,"max_steps":300,"goal":null,"created_at":"2026-11-23T00:18:58.819Z","started_at":"2026-11-23T00:19:00.884123Z","completed_at":null,"cancelled_at":null,"error_message":null}}""";

    private RecordingImporter Importer => new(DataSource);

    private RecordingExporter Exporter => new(DataSource);

    [Test]
    public async Task What_is_exported_is_imported_equal()
    {
        var crawl = await CreateCrawlAsync();
        await Runs.StartAsync(crawl);
        await Events.AppendAsync(crawl, EventsOf(2_345));
        await Events.AppendAsync(crawl, new NewCrawlEvent { EventType = "é😀", Payload = Jsonb.Parse("""{"raw": "<&\u00e9\"\\", "n": 1e-7}"""), CreatedAt = DateTimeOffset.UnixEpoch.AddMicroseconds(1) });
        await Runs.FailAsync(crawl, "a \"reason\"\nof two lines");

        var result = await ImportAsync(await ExportAsync(crawl), new RecordingImportOptions { NewIds = true });

        var copy = result.CrawlIds.Single();
        Assert.That(await Runs.GetAsync(copy), Is.EqualTo((await Runs.GetAsync(crawl))! with { Id = copy }));
        Assert.That(
            (await Events.ListAsync(copy)).Select(crawlEvent => crawlEvent with { Id = 0 }),
            Is.EqualTo((await Events.ListAsync(crawl)).Select(crawlEvent => crawlEvent with { Id = 0, CrawlId = copy })));
        Assert.That((result.Total.Runs, result.Total.Events), Is.EqualTo((1, 2_346)));
    }

    [Test]
    public async Task Lines_are_written_as_recordings_have_them()
    {
        var recording = Run + "\n" + EventLine("step", """{"a":1}""") + "\n";

        var crawl = (await ImportAsync(recording, new RecordingImportOptions { NewIds = true })).CrawlIds.Single();

        Assert.That((await ExportAsync(crawl)).Replace(crawl.ToString(), Recorded.ToString(), StringComparison.Ordinal), Is.EqualTo(recording.Replace("{\"a\":1}", "{\"a\": 1}", StringComparison.Ordinal)));
    }

    [TestCase("{\"table\":", "Line 3: json: is not well-formed, at or after byte 9.")]
    [TestCase("{\"table\":\"artifacts\",\"row\":{}}", "Line 3: is of a table other than crawl_runs and crawl_events.")]
    [TestCase("{\"row\":{}}", "Line 3: is not of the form {\"table\": name, \"row\": {column: value}}.")]
    [TestCase("null", "Line 3: is not of the form {\"table\": name, \"row\": {column: value}}.")]
    [TestCase("{\"table\":\"crawl_runs\",\"row\":null}", "Line 3: is not a row of crawl_runs.")]
    [TestCase("""{"table":"crawl_events","row":{"crawl_id":"db893442-4075-4ab8-8b1e-865d89f72223","event_type":"a"}}""", "Line 3: is not a row of crawl_events.")]
    [TestCase("""{"table":"crawl_events","row":{"crawl_id":"db893442-4075-4ab8-8b1e-865d89f72223","event_type":"a","payload":1,"payload":2}}""", "Line 3: payload: has a value that its column does not take.")]
    [TestCase("""{"table":"crawl_events","row":{"crawl_id":"db893442-4075-4ab8-8b1e-865d89f72223","event_type":"a","payload":1,"secret":1}}""", "Line 3: is not a row of crawl_events.")]
    [TestCase("""{"table":"crawl_events","row":{"crawl_id":"db893442-4075-4ab8-8b1e-865d89f72223","event_type":"a","payload":1,"created_at":"2026-11-23T00:18:58"}}""", "Line 3: created_at: has a value that its column does not take.")]
    [TestCase("""{"table":"crawl_events","row":{"crawl_id":"db893442-4075-4ab8-8b1e-865d89f72223","event_type":null,"payload":1}}""", "Line 3: event_type: has a value that its column does not take.")]
    [TestCase("""{"table":"crawl_events","row":{"crawl_id":"db893442-4075-4ab8-8b1e-865d89f72223","event_type":"","payload":1}}""", "Line 3: event_type: is empty; it takes 1 to 50 characters.")]
    [TestCase("""{"table":"crawl_events","row":{"crawl_id":"db893442-4075-4ab8-8b1e-865d89f72223","event_type":"a","payload":"\u0000"}}""", "Line 3: json: holds U+0000 at byte 109, which jsonb cannot store (repair would replace it).")]
    [TestCase("""{"table":"crawl_events","row":{"crawl_id":"11111111-4075-4ab8-8b1e-865d89f72223","event_type":"a","payload":1}}""", "Line 3: There is no crawl 11111111-4075-4ab8-8b1e-865d89f72223 in the recording before this line.")]
    public async Task A_bad_line_is_an_error_with_its_number_and_nothing_is_stored(string line, string message)
    {
        var app = $"app.{Guid.NewGuid():N}";
        var recording = $"{Run.Replace("org.example.app", app, StringComparison.Ordinal).Replace(Recorded.ToString(), Guid.NewGuid().ToString(), StringComparison.Ordinal)}\n\n{line}\n{Run}\n";

        var exception = await Assert.ThrowsAsync<RecordingException>(() => ImportAsync(recording));

        Assert.That(exception!.Message, Is.EqualTo(message));
        Assert.That(exception.Line, Is.EqualTo(3));
        Assert.That((await Runs.ListAsync(new CrawlRunFilter { AppPackage = app })).Items, Is.Empty);
    }

    [Test]
    public async Task A_run_that_is_there_already_is_an_error_of_its_line()
    {
        var crawl = await CreateCrawlAsync();
        var recording = Run.Replace(Recorded.ToString(), crawl.ToString(), StringComparison.Ordinal);

        var exception = await Assert.ThrowsAsync<RecordingException>(() => ImportAsync(recording));

        Assert.That(exception!.Message, Is.EqualTo($"Line 1: Crawl {crawl} exists already."));
    }

    [Test]
    public async Task Crawled_text_is_repaired_when_asked()
    {
        var recording = Run + "\n" + EventLine("a\\u0000", "\"\\ud83d\"") + "\r\n";

        var crawl = (await ImportAsync(recording, new RecordingImportOptions { NewIds = true, Repair = true })).CrawlIds.Single();

        var stored = await Events.GetLastAsync(crawl);
        Assert.That((stored!.EventType, stored.Payload), Is.EqualTo(("a\ufffd", Jsonb.Parse("\"\ufffd\""))));
    }

    [Test]
    public async Task Events_never_go_to_a_crawl_that_is_not_in_the_recording([Values] bool newIds)
    {
        var crawl = await CreateCrawlAsync();
        var recording = EventLine("step", "{}").Replace(Recorded.ToString(), crawl.ToString(), StringComparison.Ordinal) + "\n"
            + Run.Replace(Recorded.ToString(), crawl.ToString(), StringComparison.Ordinal);

        await Assert.ThrowsAsync<RecordingException>(() => ImportAsync(recording, new RecordingImportOptions { NewIds = newIds }));

        Assert.That(await Events.CountAsync(crawl), Is.Zero);
    }

    [Test]
    public async Task What_the_largest_limits_let_in_goes_out_and_in_again()
    {
        var crawl = await CreateCrawlAsync();
        var largest = new JsonbOptions { MaxDepth = JsonbOptions.LargestMaxDepth, MaxBytes = JsonbOptions.LargestMaxBytes };
        await Events.AppendAsync(crawl, new NewCrawlEvent { EventType = "deep", Payload = Jsonb.Parse(new string('[', 1_000) + new string(']', 1_000), largest) });
        await Events.AppendAsync(crawl, new NewCrawlEvent { EventType = "long", Payload = Jsonb.From(new string('x', 20_000_000), options: largest) });
        await Events.AppendAsync(crawl, new NewCrawlEvent { EventType = "wide", Payload = Jsonb.Parse("[" + string.Join(',', Enumerable.Repeat("1", 13_000_000)) + "]", largest) });
        await Events.AppendAsync(crawl, new NewCrawlEvent { EventType = "twice", Payload = Jsonb.Parse("""{"a": 1, "a": 2}""") });

        var copy = (await ImportAsync(await ExportAsync(crawl), new RecordingImportOptions { NewIds = true })).CrawlIds.Single();

        Assert.That((await Events.ListAsync(copy)).Select(stored => stored.Payload), Is.EqualTo((await Events.ListAsync(crawl)).Select(stored => stored.Payload)));
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
    public async Task A_byte_order_mark_and_lines_of_white_space_are_passed_over() =>
        Assert.That((await ImportAsync("\ufeff" + Run + "\n \t\r\n\n", new RecordingImportOptions { NewIds = true })).CrawlIds, Has.Count.EqualTo(1));

    [Test]
    public async Task A_last_line_without_its_end_counts()
    {
        Assert.That((await ImportAsync(Run, new RecordingImportOptions { NewIds = true })).CrawlIds, Has.Count.EqualTo(1));
        Assert.That((await ImportAsync("")).CrawlIds, Is.Empty);
    }

    [Test]
    public async Task An_export_of_no_crawl_writes_nothing()
    {
        using var recording = new MemoryStream();

        await Assert.ThrowsAsync<RowNotFoundException>(() => Exporter.ExportAsync(Guid.CreateVersion7(), recording));

        Assert.That(recording.Length, Is.Zero);
    }

    [Test]
    public async Task Lines_may_come_in_any_pieces()
    {
        var recording = Run + "\n" + string.Concat(Enumerable.Range(0, 300).Select(number => EventLine("step", $$"""{"number":{{number}}}""") + "\n"));

        var result = await Importer.ImportAsync(new OneByteAtATime(Encoding.UTF8.GetBytes(recording)), new RecordingImportOptions { NewIds = true });

        Assert.That(await Events.CountAsync(result.CrawlIds.Single()), Is.EqualTo(300));
        Assert.That(result.Total.Bytes, Is.EqualTo(Encoding.UTF8.GetByteCount(recording)));
    }

    private static string EventLine(string eventType, string payload) =>
        $$$"""{"table":"crawl_events","row":{"crawl_id":"{{{Recorded}}}","event_type":"{{{eventType}}}","payload":{{{payload}}},"created_at":"2026-11-23T00:19:00.949Z"}}""";

    private async Task<RecordingImportResult> ImportAsync(string recording, RecordingImportOptions? options = null)
    {
        using var stream = new MemoryStream(Encoding.UTF8.GetBytes(recording));
        return await Importer.ImportAsync(stream, options);
    }

    private async Task<string> ExportAsync(Guid crawl)
    {
        using var stream = new MemoryStream();
        await Exporter.ExportAsync(crawl, stream);
        return Encoding.UTF8.GetString(stream.ToArray());
    }

    private sealed class OneByteAtATime(byte[] bytes) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => base.ReadAsync(buffer[..1], cancellationToken);
    }
}
