using System.IO.Compression;
using System.Text;
using CrawlData.Crawls;
using CrawlData.Recordings;

namespace CrawlData.Tests.Recordings;

[Parallelizable(ParallelScope.All)]
public sealed class CrawlEventLineReaderTests
{
    private const string Times = "it takes a time with its offset, such as 2026-11-23T08:30:00Z or 2026-11-23 09:30:00.5+01:00.";

    [Test]
    public async Task Each_line_is_an_event_with_the_number_of_the_line()
    {
        var reader = new CrawlEventLineReader(ToStream(
            "\ufeff" + """
            {"event_type":"first","payload":{"number":1}}

            {"event_type":"second","payload":null,"created_at":"2026-11-23T01:00:00+01:00"}

            """));

        var lines = await reader.ReadAsync().ToListAsync();

        Assert.That(lines.Select(line => (line.Number, line.IsValid, line.Error, line.Event?.EventType)), Is.EqualTo(
        [
            (1L, true, (RecordingException?)null, "first"),
            (3L, true, null, "second"),
        ]));
        Assert.That(lines[0].Event!.Payload, Is.EqualTo(Jsonb.Parse("""{"number":1}""")));
        Assert.That(lines[1].Event!.CreatedAt, Is.EqualTo(new DateTimeOffset(2026, 11, 23, 0, 0, 0, TimeSpan.Zero)));
        Assert.That(reader.LinesRead, Is.EqualTo(3));
    }

    [Test]
    [TestCase("""{"event_type":"","payload":{}}""", "event_type: is empty; it takes 1 to 50 characters.")]
    [TestCase("""{"event_type":7,"payload":{}}""", "event_type: is a number; it takes text.")]
    [TestCase("""{"event_type":"secret"}""", "payload: is missing; a row of crawl_events needs event_type and payload.")]
    [TestCase("""{"payload":"secret"}""", "event_type: is missing; a row of crawl_events needs event_type and payload.")]
    [TestCase(
        """{"event_type":"step","payload":{},"url":"secret"}""",
        "field 3 is not one of crawl_events, which has event_type, payload and created_at.")]
    [TestCase("""{"eventType":"step","payload":{}}""", "event_type: has another spelling on this line; names are in snake_case.")]
    [TestCase("""{"event_type":"step","payload":{},"Created-At":"secret"}""", "created_at: has another spelling on this line; names are in snake_case.")]
    [TestCase("""{"event_type":null,"payload":{}}""", "event_type: is null; it takes text.")]
    [TestCase("""{"event_type":"a","payload":{},"event_type":"b"}""", "event_type: occurs twice.")]
    [TestCase("""["secret"]""", "is an array; a row of crawl_events is an object with event_type, payload and created_at.")]
    [TestCase("\"secret\"", "is text; a row of crawl_events is an object with event_type, payload and created_at.")]
    [TestCase("null", "is null; a row of crawl_events is an object with event_type, payload and created_at.")]
    [TestCase("secret", "json: is not well-formed, at or after byte 0.")]
    [TestCase("""{"event_type":"step","payload":{},"created_at":"2026-11-23T08:30:00"}""", "created_at: has no offset, and none is assumed; " + Times)]
    [TestCase("""{"event_type":"step","payload":{},"created_at":"2026-11-23 08:30:00.5"}""", "created_at: has no offset, and none is assumed; " + Times)]
    [TestCase("""{"event_type":"step","payload":{},"created_at":"secret"}""", "created_at: has another text; " + Times)]
    [TestCase("""{"event_type":"step","payload":{},"created_at":1763886600}""", "created_at: is a number; " + Times)]
    [TestCase(
        """{"event_type":"step","payload":"\u0000"}""", "json: holds U+0000 at byte 32, which jsonb cannot store (repair would replace it).")]
    public async Task An_invalid_line_is_returned_with_its_reason_and_the_next_line_follows(string line, string reason)
    {
        var reader = new CrawlEventLineReader(ToStream(line + "\n" + """{"event_type":"next","payload":{}}"""));

        var lines = await reader.ReadAsync().ToListAsync();

        Assert.That((lines[0].Number, lines[0].IsValid, lines[0].Event), Is.EqualTo((1L, false, (NewCrawlEvent?)null)));
        Assert.That((lines[0].Error!.Line, lines[0].Error!.Reason), Is.EqualTo((1L, reason)));
        Assert.That(lines[1].Event?.EventType, Is.EqualTo("next"));
    }

    [Test]
    [TestCase("2026-11-23T08:30:00Z")]
    [TestCase("2026-11-23t08:30:00z")]
    [TestCase("2026-11-23 08:30:00Z")]
    [TestCase("2026-11-23 08:30:00.000000+00:00")]
    [TestCase("2026-11-23T09:30:00+01:00")]
    public async Task A_time_may_be_of_every_form_that_RFC_3339_allows(string time)
    {
        var line = await new CrawlEventLineReader(ToStream($$"""{"event_type":"step","payload":1,"created_at":"{{time}}"}""")).ReadAsync().SingleAsync();

        Assert.That(line.Event?.CreatedAt, Is.EqualTo(new DateTimeOffset(2026, 11, 23, 8, 30, 0, TimeSpan.Zero)), line.Error?.Reason);
    }

    [Test]
    [TestCase("utf-16", "is in UTF-16")]
    [TestCase("utf-16BE", "is in UTF-16")]
    [TestCase("gzip", "is compressed with gzip")]
    public async Task Input_that_is_not_UTF_8_is_named(string format, string reason)
    {
        var text = """{"event_type":"step","payload":1}""";
        var input = new MemoryStream();
        if (format == "gzip")
        {
            using var compressed = new GZipStream(input, CompressionLevel.Fastest, leaveOpen: true);
            compressed.Write(Encoding.UTF8.GetBytes(text));
        }
        else
        {
            input.Write([.. Encoding.GetEncoding(format).GetPreamble(), .. Encoding.GetEncoding(format).GetBytes(text + "\n" + text)]);
        }

        input.Position = 0;

        var exception = await Assert.ThrowsAsync<RecordingException>(async () => await new CrawlEventLineReader(input).ReadAsync().ToListAsync());

        Assert.That(exception!.Message, Is.EqualTo($"Line 1: {reason}; the input has to be NDJSON in UTF-8."));
    }

    [Test]
    public async Task A_line_that_is_too_long_is_an_error_of_its_own_and_the_next_line_follows([Values] bool last)
    {
        var input = ToStream($"short\n{new string('x', 200_000)}{(last ? "" : "\nnext\n")}");
        var lines = new NdjsonReader(input, largestLineBytes: 100_000);
        var read = new List<string>();
        await foreach (var (bytes, error) in lines.ReadAsync(CancellationToken.None))
        {
            read.Add(error?.Message ?? Encoding.UTF8.GetString(bytes.Span));
        }

        Assert.That(read, Is.EqualTo(new[] { "short", "Line 2: is longer than 100000 bytes." }.Concat(last ? [] : ["next"])));
        Assert.That(lines.BytesRead, Is.EqualTo(input.Length));
    }

    [Test]
    public async Task A_payload_over_the_limit_is_an_error_of_its_line_and_white_space_does_not_count()
    {
        const int Limit = JsonbOptions.LargestMaxBytes;
        var reader = new CrawlEventLineReader(ToStream(string.Join(
            '\n',
            $$"""{"event_type":"step","payload":"{{new string('x', Limit - 1)}}"}""",
            $$"""{"event_type":"step","payload":["{{new string('x', Limit - 4)}}"{{new string(' ', 1_000)}}]}""",
            """{"event_type":"step","payload":1}""")));

        var reasons = new List<string?>();
        await foreach (var line in reader.ReadAsync())
        {
            reasons.Add(line.Error?.Reason);
        }

        Assert.That(reasons, Is.EqualTo(new[] { $"payload: has {Limit + 1} bytes; the limit is {Limit}.", null, null }));
    }

    [Test]
    public async Task Repair_replaces_text_that_cannot_be_stored()
    {
        var reader = new CrawlEventLineReader(ToStream("""{"event_type":"step","payload":"a\u0000b\ud800c"}""")) { Repair = true };

        var line = await reader.ReadAsync().SingleAsync();

        Assert.That(line.Event!.Payload, Is.EqualTo(Jsonb.Parse("\"a\uFFFDb\uFFFDc\"")));
    }

    [Test]
    public void The_input_is_required() =>
        Assert.That(() => new CrawlEventLineReader(null!), Throws.ArgumentNullException.With.Property("ParamName").EqualTo("input"));

    private static MemoryStream ToStream(string text) => new(Encoding.UTF8.GetBytes(text));
}
