using CrawlData.Audits;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace CrawlData.Browser.Tests;

/// <summary>The page of a session that runs shows the lines of its log as they are committed.</summary>
public sealed class LiveLogTests : BrowserTest
{
    [Test]
    public Task Lines_come_in_the_order_of_their_times_as_text() => BrowseAsync(async page =>
    {
        const string Script = "<img src=x onerror=\"document.title = 'ran'\">";
        var session = await OpenSessionAsync(page, 2);
        var now = DateTimeOffset.UtcNow;
        var details = Jsonb.From(new { number = 9007199254740993, script = Script });
        var ids = await Logs.AppendAsync(
            session, [Line(Script) with { Timestamp = now.AddHours(1), Details = details }, Line("earlier") with { Timestamp = now.AddDays(-1) }]);

        await Expect(LineRows(page)).ToHaveCountAsync(4);
        await Expect(LineRows(page).First).ToHaveAttributeAsync("id", $"l{ids[0]}");
        await Expect(LineRows(page).Last).ToHaveAttributeAsync("id", $"l{ids[1]}");
        await Expect(LineRows(page).First).ToContainTextAsync(Script);
        await Expect(LineRows(page).First).ToContainTextAsync("9007199254740993");
        Assert.That(await page.Locator("td img").CountAsync(), Is.Zero);
    });

    /// <summary>A reader is not moved. New lines are counted, and a click leads to them.</summary>
    [Test]
    public Task A_pill_counts_what_comes_while_somebody_reads() => BrowseAsync(async page =>
    {
        var session = await OpenSessionAsync(page, 40);
        var frame = page.GetByRole(AriaRole.Region, new PageGetByRoleOptions { Name = "Log" });
        await frame.EvaluateAsync("frame => frame.scrollTop = 300");
        await Expect(page.GetByRole(AriaRole.Status)).ToHaveTextAsync("Live, paused while you read");
        var ids = await Logs.AppendAsync(session, Enumerable.Range(0, 7).Select(number => Line($"came {number}")));

        await Expect(page.Locator(".pill")).ToHaveTextAsync("↑ 7 new");
        Assert.That(await frame.EvaluateAsync<int>("frame => frame.scrollTop"), Is.EqualTo(300));
        Assert.That(await LineRows(page).CountAsync(), Is.EqualTo(40));
        await page.Locator(".pill").ClickAsync();
        await Expect(LineRows(page)).ToHaveCountAsync(47);
        await Expect(LineRows(page).First).ToHaveAttributeAsync("id", $"l{ids[^1]}");
        await Expect(page.Locator(".pill")).ToBeHiddenAsync();
        await Expect(page.GetByRole(AriaRole.Status)).ToHaveTextAsync("Live");
    });

    [Test]
    public Task The_level_that_is_chosen_holds_for_lines_that_come() => BrowseAsync(async page =>
    {
        var session = await OpenSessionAsync(page, 2, "?level=error");
        await Logs.AppendAsync(session, Line("of no interest"));
        var failed = await Logs.AppendAsync(session, Line("failed") with { Level = CrawlLogLevel.Error });

        await Expect(LineRows(page)).ToHaveCountAsync(1);
        await Expect(LineRows(page)).ToHaveAttributeAsync("id", $"l{failed}");
    });

    [Test]
    public Task The_end_of_the_session_comes_too() => BrowseAsync(async page =>
    {
        var session = await OpenSessionAsync(page, 1);
        (await Queue.FailAsync(session, 0, "the site blocks us")).EnsureApplied();

        await Expect(page.GetByRole(AriaRole.Status)).ToHaveTextAsync("The session has ended");
        await Expect(page.Locator("h1 .badge")).ToHaveTextAsync("failed");
        await Expect(page.Locator(".error-box")).ToHaveTextAsync("the site blocks us");
    });

    private async Task<Guid> OpenSessionAsync(IPage page, int lines, string query = "")
    {
        var session = await InsertSessionAsync("https://example.org/", AuditSessionStatus.Running);
        await Logs.AppendAsync(session.Id, Enumerable.Range(0, lines).Select(number => Line($"line {number}")));
        await page.GotoAsync($"sessions/{session.Id}{query}");
        await Expect(page.GetByRole(AriaRole.Status)).ToHaveTextAsync("Live");
        return session.Id;
    }

    private static NewCrawlLog Line(string message) => new() { EventType = CrawlLogEventType.Navigation, Message = message };

    private static ILocator LineRows(IPage page) => page.Locator("[data-log] tbody tr");
}
