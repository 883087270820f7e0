using System.IO.Compression;
using System.Text;
using CrawlData.Recordings;

namespace CrawlData.Tests.Recordings;

/// <summary>The parser of event lines agrees with the format of recordings, or leaves a line to it. No case needs a server.</summary>
[Parallelizable(ParallelScope.All)]
public sealed class EventLineParserTests
{
    private const string Id = "0199b3c4-5d6e-7f80-9a1b-2c3d4e5f6071";

    private static readonly string Deepest = new string('[', JsonbOptions.LargestMaxDepth) + new string(']', JsonbOptions.LargestMaxDepth);

    private static readonly string[] Parsed =
    [
        Line("\"step\"", "{}"),
        Line("\"größer\"", """{"a": [1, 2.50, "ü", "\ud83d\ude00", "\\u0000"], "a": null}"""),
        Line("\"step\"", "null", "null"),
        Line("\"step\"", "1e300", "\"2026-11-27T01:02:03.1234567+05:00\""),
        Line("\"step\"", "\"text\"", "\"2026-11-27 01:02:03z\""),
        Line("\"step\"", Deepest),
        $$""" {"table" : "crawl_events" , "row" : { "payload" : [ 1 ] , "event_type" : "step" , "crawl_id" : "{{Id}}" } } """,
    ];

    private static readonly string[] Left =
    [
        "",
        "{",
        "[]",
        "{}",
        """{"table":"crawl_events"}""",
        """{"table":"crawl_events","row":null}""",
        Line("\"step\"", "{}") + "1",
        Line("\"step\"", "{}").Replace("\"table\"", "\"t\\u0061ble\"", StringComparison.Ordinal),
        Line("\"step\"", "{}").Replace(" }}", "},\"row\":{}}", StringComparison.Ordinal),
        Line("\"step\"", "{}").Replace("crawl_events", "crawl_logs", StringComparison.Ordinal),
        Line("\"step\"", "{}").Replace("crawl_id", "crawlId", StringComparison.Ordinal),
        Line("\"step\"", "{}").Replace(Id, "0199b3c4", StringComparison.Ordinal),
        Line("\"step\"", "{}").Replace("\"payload\":{}", "\"payload\":{},\"id\":7", StringComparison.Ordinal),
        Line("\"step\"", "{}").Replace("\"payload\":{}", "\"payload\":{},\"payload\":{}", StringComparison.Ordinal),
        Line("\"step\"", "{}").Replace(",\"payload\":{}", "", StringComparison.Ordinal),
        Line("\"st\\u0000ep\"", "{}"),
        Line("null", "{}"),
        Line("7", "{}"),
        Line("\"step\"", "\"\\u0000\""),
        Line("\"step\"", "\"\\ud800\""),
        Line("\"step\"", "1e2000"),
        Line("\"step\"", "[" + Deepest + "]"),
        Line("\"step\"", "{,}"),
        Line("\"step\"", "{}", "\"2026-11-27T01:02:03\""),
        Line("\"step\"", "{}", "\"-infinity\""),
        Line("\"step\"", "{}", "7"),
    ];

    [TestCaseSource(nameof(Parsed))]
    public void A_line_is_parsed_as_the_format_has_it(string line)
    {
        var utf8 = Encoding.UTF8.GetBytes(line);

        Assert.That(new EventLineParser().TryParse(utf8, out var row));

        AssertSame(utf8, row);
    }

    [TestCaseSource(nameof(Left))]
    public void A_line_is_left_to_the_format(string line) =>
        Assert.That(new EventLineParser().TryParse(Encoding.UTF8.GetBytes(line), out _), Is.False);

    [Test]
    public void Bytes_that_are_not_UTF_8_are_left_to_the_format()
    {
        var utf8 = Encoding.UTF8.GetBytes(Line("\"step\"", "\"?\""));
        utf8[utf8.IndexOf((byte)'?')] = 0xff;

        Assert.That(new EventLineParser().TryParse(utf8, out _), Is.False);
    }

    [Test]
    public void An_invalid_event_type_has_the_error_of_its_column()
    {
        var line = Encoding.UTF8.GetBytes(Line($"\"{new string('x', 51)}\"", "{}"));

        Assert.That(new EventLineParser().TryParse(line, out var row));

        Assert.That(Assert.Throws<InvalidValueException>(() => row.ToEvent())!.Field, Is.EqualTo("event_type"));
    }

    [Test]
    public void All_events_of_a_recording_are_parsed()
    {
        using var recording = typeof(CrawlData.Cli.Commands.ImportCommand).Assembly.GetManifestResourceStream("postgresql-docs.crawl.ndjson.gz")!;
        using var lines = new StreamReader(new GZipStream(recording, CompressionMode.Decompress));
        var parser = new EventLineParser();
        var events = 0;
        while (lines.ReadLine() is { } line)
        {
            var utf8 = Encoding.UTF8.GetBytes(line);
            if (line.StartsWith("""{"table":"crawl_events""", StringComparison.Ordinal))
            {
                Assert.That(parser.TryParse(utf8, out var row), line);
                AssertSame(utf8, row);
                events++;
            }
        }

        Assert.That(events, Is.GreaterThan(1_000));
    }

    private static void AssertSame(byte[] utf8, RecordingFormat.EventRow parsed)
    {
        var options = JsonbOptions.ForLine(RecordingFormat.LargestLineBytes, repair: false);
        var line = Jsonb.Parse(utf8, options).To(RecordingFormat.LineInfo)!;
        var row = RecordingFormat.ToRow<RecordingFormat.EventRow>(line.Row, line.Table, 1);
        Assert.That(
            (line.Table, parsed.CrawlId, parsed.EventType, $"{parsed.Payload}", parsed.CreatedAt),
            Is.EqualTo((RecordingFormat.CrawlEvents, row.CrawlId, row.EventType, $"{row.Payload}", row.CreatedAt)));
    }

    private static string Line(string eventType, string payload, string createdAt = "null") =>
        $$$"""{"table":"crawl_events","row":{"crawl_id":"{{{Id}}}","event_type":{{{eventType}}},"payload":{{{payload}}},"created_at":{{{createdAt}}} }}""";
}
