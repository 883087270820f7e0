using CrawlData.Audits;

namespace CrawlData.Tests.Cli;

public sealed class LogsCommandTests : ToolTest
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 23, 12, 0, 0, TimeSpan.Zero);

    private Guid sessionId;

    [OneTimeSetUp]
    public async Task AppendLinesAsync()
    {
        sessionId = await EnqueueAsync();
        await Logs.AppendAsync(sessionId, Enumerable.Range(0, 6).Select(number => Line(number, Noon.AddMinutes(number)) with
        {
            Level = (CrawlLogLevel)(number % 3),
            EventType = number < 3 ? CrawlLogEventType.Navigation : CrawlLogEventType.Timeout,
        }));
    }

    [Test]
    [TestCase("", "012345")]
    [TestCase("--limit 2", "01")]
    [TestCase("--level error", "25")]
    [TestCase("--level WARN --level info --type timeout", "34")]
    [TestCase("--since 2026-11-23T12:02:00Z --until 2026-11-23T12:04", "23")]
    public async Task Filters_select_lines_in_order(string filter, string expected)
    {
        var result = await RunAsync(["logs", $"{sessionId}", .. filter.Split(' ', StringSplitOptions.RemoveEmptyEntries)]);

        AssertDone(result);
        Assert.That(result.Column("message"), Is.EqualTo(expected.Select(digit => $"line {digit}")));
    }

    [Test]
    public async Task An_unknown_session_is_an_error()
    {
        var unknown = Guid.NewGuid();

        AssertFailed(await RunAsync("logs", $"{unknown}"), 1, $"crawldata: There is no session {unknown}.");
    }
}
