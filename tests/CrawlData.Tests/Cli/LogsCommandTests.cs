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
    public async Task A_log_is_followed_until_its_session_has_ended([Values("--json", "--table")] string format)
    {
        var session = await EnqueueAsync();
        await Logs.AppendAsync(session, Line(1, Noon));
        using var logs = Tool.Start(Database.ConnectionString, ["logs", $"{session}", "--follow", "--level", "info", format]);
        var first = await logs.StandardOutput.ReadLineAsync().WaitAsync(Tool.Timeout);
        Assert.That(first, format == "--json" ? Does.Contain("\"message\":\"line 1\"") : Is.EqualTo("2026-11-23 UTC"));
        await Logs.AppendAsync(session, Line(2, Noon.AddDays(-1)));
        await Queue.StartAsync(session);
        await Queue.CompleteAsync(session, 1);

        Assert.That(await Tool.WaitAsync(logs), Is.Zero, await logs.StandardError.ReadToEndAsync());
        Assert.That(
            await logs.StandardOutput.ReadToEndAsync(),
            format == "--json" ? Does.Contain("\"message\":\"line 2\"") : Does.Contain("2026-11-22 UTC\n12:00:00.000  info  navigation  line 2"));
    }

    [Test]
    public async Task An_unknown_session_is_an_error()
    {
        var unknown = Guid.NewGuid();

        AssertFailed(await RunAsync("logs", $"{unknown}"), 1, $"crawldata: There is no session {unknown}.");
        AssertFailed(await RunAsync("logs", $"{unknown}", "--follow"), 1, $"crawldata: There is no session {unknown}.");
    }
}
