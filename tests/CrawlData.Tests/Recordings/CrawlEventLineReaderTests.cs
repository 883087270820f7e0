using System.Text;
using CrawlData.Crawls;
using CrawlData.Recordings;

namespace CrawlData.Tests.Recordings;

[Parallelizable(ParallelScope.All)]
public sealed class CrawlEventLineReaderTests
{
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
    [TestCase("""{"event_type":7,"payload":{}}""", "event_type: has a value that the column does not accept.")]
    [TestCase("""{"event_type":"secret"}""", "is not a row of crawl_events.")]
    [TestCase("""{"event_type":"step","payload":{},"secret":1}""", "is not a row of crawl_events.")]
    [TestCase("""["secret"]""", "is not a row of crawl_events.")]
    [TestCase("null", "is not a row of crawl_events.")]
    [TestCase("secret", "json: is not well-formed, at or after byte 0.")]
    [TestCase("""{"event_type":"step","payload":{},"created_at":"2026-11-23T08:30:00"}""", "created_at: has a value that the column does not accept.")]
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
