using CrawlData.Crawls;
using CrawlData.Dashboard.Tests;
using CrawlData.Packages.Tests;
using Microsoft.AspNetCore.Builder;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace CrawlData.Browser.Tests;

/// <summary>A page of a run that goes on shows its events as they are committed.</summary>
public sealed class LiveTests : BrowserTest
{
    private const int MaxRows = 150;

    private static readonly LocatorFilterOptions Live = new() { HasText = "Live" };

    [Test]
    public Task Events_come_and_the_end_of_the_run_too() => BrowseAsync(async page =>
    {
        var run = await OpenRunAsync(page, 3);
        await AppendAsync(run, 2, "came");

        await Expect(EventRows(page)).ToHaveCountAsync(5);
        await Expect(EventRows(page).First.GetByRole(AriaRole.Link, new LocatorGetByRoleOptions { Name = "came" })).ToBeVisibleAsync();
        (await Runs.CompleteAsync(run)).EnsureApplied();
        await Expect(page.GetByRole(AriaRole.Status)).ToHaveTextAsync("The run has ended");
        await Expect(page.Locator("h1 .badge")).ToHaveTextAsync("completed");
    });

    [Test]
    public async Task The_end_comes_to_the_events_of_a_run_that_opens_on_its_screens()
    {
        await using var host = await DashboardHost.StartAsync(DataSource, options => options.Artifacts = (_, _) => Task.FromResult<Stream?>(null));
        await BrowseAsync(
            async page =>
            {
                var run = (await InsertRunAsync(CrawlStatus.Running)).Id;
                await AppendAsync(run, 1, "screen.captured");
                await page.GotoAsync($"runs/{run}?tab=events");
                await Expect(page.GetByRole(AriaRole.Status).Filter(Live)).ToBeVisibleAsync();
                (await Runs.CompleteAsync(run)).EnsureApplied();
                await Expect(page.Locator("h1 .badge")).ToHaveTextAsync("completed");
            },
            root: host.Client.BaseAddress);
    }

    /// <summary>A reader is not moved. New events are counted, and a click leads to them.</summary>
    [Test]
    public Task A_pill_counts_what_comes_while_somebody_reads() => BrowseAsync(async page =>
    {
        var run = await OpenRunAsync(page, 100);
        var frame = page.GetByRole(AriaRole.Region, new PageGetByRoleOptions { Name = "Events" });
        await frame.EvaluateAsync("frame => frame.scrollTop = 700");
        await Expect(page.GetByRole(AriaRole.Status)).ToContainTextAsync("paused");
        var top = await TopAsync(page);
        await AppendAsync(run, 7, "came");

        await Expect(page.Locator(".pill")).ToHaveTextAsync("↑ 7 new");
        Assert.That(await TopAsync(page), Is.EqualTo(top));
        Assert.That(await EventRows(page).Filter(new LocatorFilterOptions { HasText = "came" }).CountAsync(), Is.Zero);
        await page.Locator(".pill").ClickAsync();
        await Expect(EventRows(page).Filter(new LocatorFilterOptions { HasText = "came" })).ToHaveCountAsync(7);
        await Expect(page.Locator(".pill")).ToBeHiddenAsync();
    });

    [Test]
    public Task Text_of_events_that_come_is_text() => BrowseAsync(async page =>
    {
        const string Script = "<img src=x onerror=\"document.title = 'ran'\"><script>document.title = 'ran'</script>";
        var run = await OpenRunAsync(page, 1);
        await Events.AppendAsync(run, [new NewCrawlEvent { EventType = "<b>bold</b>", Payload = Jsonb.From(new { Script, Number = 9007199254740993 }) }]);

        await Expect(EventRows(page)).ToHaveCountAsync(2);
        await Expect(EventRows(page).First).ToContainTextAsync("<b>bold</b>");
        await Expect(EventRows(page).First).ToContainTextAsync("9007199254740993");
        Assert.That(await page.Locator("td b, td img, td script").CountAsync(), Is.Zero);
        Assert.That(await page.TitleAsync(), Does.EndWith("· CrawlData"));
    });

    /// <summary>However many events come, and however far one scrolls.</summary>
    [Test]
    public Task The_document_holds_150_rows_at_most() => BrowseAsync(async page =>
    {
        var run = await OpenRunAsync(page, 1_000);
        var frame = page.GetByRole(AriaRole.Region, new PageGetByRoleOptions { Name = "Events" });
        var oldest = (await Events.ListAsync(run, pageSize: 1)).Items[0].Id;
        for (var most = 0; ;)
        {
            await frame.EvaluateAsync("frame => frame.scrollTop = frame.scrollHeight");
            most = Math.Max(most, await EventRows(page).CountAsync());
            Assert.That(most, Is.LessThanOrEqualTo(MaxRows));
            if (await page.Locator($"#e{oldest}").CountAsync() == 1)
            {
                break;
            }
        }

        await frame.FocusAsync();
        await page.Keyboard.PressAsync("Home");
        await Expect(page.Locator($"#e{(await Events.ListNewestAsync(run, pageSize: 1)).Items[0].Id}")).ToHaveCountAsync(1);
        Assert.That(await EventRows(page).CountAsync(), Is.LessThanOrEqualTo(MaxRows));
    });

    /// <summary>The first look at an event fails, as the application's redaction may.</summary>
    [Test]
    public async Task A_stream_that_fails_says_since_when_and_is_opened_again()
    {
        var failures = 0;
        await using var host = await DashboardHost.StartAsync(DataSource, options => options.Redact = (_, value) =>
            value.ToString().Contains("broken", StringComparison.Ordinal) && Interlocked.Increment(ref failures) == 1
                ? throw new InvalidOperationException("of the test")
                : value);
        await BrowseAsync(
            async page =>
            {
                await page.AddInitScriptAsync(
                    """
                    window.said = [];
                    new MutationObserver(() => said.push(document.querySelector("[role=status]")?.textContent ?? ""))
                        .observe(document, { subtree: true, childList: true, characterData: true });
                    """);
                var run = await OpenRunAsync(page, 3);
                await Events.AppendAsync(run, [new NewCrawlEvent { EventType = "came", Payload = Jsonb.From(new { text = "broken" }) }]);

                await Expect(EventRows(page)).ToHaveCountAsync(4);
                await Expect(page.GetByRole(AriaRole.Status)).ToHaveTextAsync("Live");
                Assert.That(
                    await page.EvaluateAsync<string[]>("() => said"),
                    Has.Some.Matches(@"^Not live since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\. Trying again …$"));
            },
            root: host.Client.BaseAddress);
    }

    [Test]
    public Task A_hidden_tab_closes_its_stream_and_catches_up() => BrowseAsync(async page =>
    {
        var closed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        page.RequestFailed += (_, request) => _ = request.Url.Contains("/events/stream", StringComparison.Ordinal) && closed.TrySetResult();
        page.RequestFinished += (_, request) => _ = request.Url.Contains("/events/stream", StringComparison.Ordinal) && closed.TrySetResult();
        var run = await OpenRunAsync(page, 3);
        await SetHiddenAsync(page, true);
        await closed.Task.WaitAsync(TimeSpan.FromSeconds(60));
        await AppendAsync(run, 4, "missed");
        await SetHiddenAsync(page, false);

        await Expect(EventRows(page)).ToHaveCountAsync(7);
    });

    /// <summary>nginx holds back what is not 4 kB yet, unless the answer says otherwise.</summary>
    [Test]
    public async Task Events_come_through_nginx([Values("on", "off")] string buffering)
    {
        await using var host = await DashboardHost.StartAsync(
            DataSource, environment: "Production", map: application => application.MapCrawlDataDashboard("/crawls").AllowAnonymous());
        using var nginx = await Nginx.StartAsync(host.Client.BaseAddress!, $"proxy_buffering {buffering};", "/ops/", "/crawls/");
        await BrowseAsync(
            async page =>
            {
                var run = await OpenRunAsync(page, 3);
                await AppendAsync(run, 1, "came");
                await Expect(EventRows(page)).ToHaveCountAsync(4);
            },
            root: new Uri(nginx.Address, "/ops/"));
    }

    private async Task<Guid> OpenRunAsync(IPage page, int events)
    {
        var run = await InsertRunAsync(CrawlStatus.Running);
        await Events.AppendAsync(run.Id, EventsOf(events));
        await page.GotoAsync($"runs/{run.Id}");
        await Expect(page.GetByRole(AriaRole.Status).Filter(Live)).ToBeVisibleAsync();
        return run.Id;
    }

    private async Task AppendAsync(Guid run, int count, string type) =>
        await Events.AppendAsync(run, EventsOf(count).Select(one => one with { EventType = type }));

    // The run over time has a table, too.
    private static ILocator EventRows(IPage page) => page.Locator(".events tbody tr");

    // The row at the top of the frame.
    private static Task<string> TopAsync(IPage page) => page.EvaluateAsync<string>(
        """
        () => {
            const top = document.querySelector(".window").getBoundingClientRect().top;
            return [...document.querySelectorAll(".events tbody tr")].find(row => row.getBoundingClientRect().bottom > top).id;
        }
        """);

    // Another tab in front of it does the same. A browser without a window has none.
    private static async Task SetHiddenAsync(IPage page, bool isHidden) => await page.EvaluateAsync(
        """
        isHidden => {
            Object.defineProperty(document, "hidden", { value: isHidden, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }
        """,
        isHidden);
}
