using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace CrawlData.Browser.Tests;

/// <summary>Lists, filters, pages and comparisons work where no script runs, by clicking alone.</summary>
public sealed class WithoutScriptTests : BrowserTest
{
    [Test]
    public Task A_list_is_filtered_and_has_pages() => ClickAsync("runs", async page =>
    {
        var first = await Rows(page).First.InnerTextAsync();
        await Link(page, "Older →").ClickAsync();
        await Expect(Rows(page)).ToHaveCountAsync(30);
        await Link(page, "Newest").ClickAsync();
        await Expect(Rows(page).First).ToHaveTextAsync(first, new LocatorAssertionsToHaveTextOptions { UseInnerText = true });

        await page.GetByLabel("Status").SelectOptionAsync("cancelled");
        await page.GetByLabel("App").FillAsync("org.example.news");
        await Button(page, "Filter").ClickAsync();
        await Expect(Rows(page)).ToHaveCountAsync(1);
        await Expect(page.GetByLabel("Status")).ToHaveValueAsync("CANCELLED");
        await Link(page, "Clear").ClickAsync();
        await Expect(Rows(page)).ToHaveCountAsync(50);
    });

    [Test]
    public Task Events_have_pages_orders_types_and_places() => ClickAsync("run", async page =>
    {
        var id = page.Locator(".events tbody td.number").First;
        await Expect(id).ToHaveTextAsync("1040120");
        await Link(page, "Older →").ClickAsync();
        await Expect(id).ToHaveTextAsync("1040070");
        await Link(page, "Oldest first").ClickAsync();
        await Expect(id).ToHaveTextAsync("1040001");
        await page.GetByTitle("Only this type").Filter(new LocatorFilterOptions { HasText = "screen" }).First.ClickAsync();
        await Expect(Rows(page)).ToHaveCountAsync(30);
        await Link(page, "Clear").ClickAsync();
        await page.GetByLabel("From id or time").FillAsync("1040111");
        await Button(page, "Show").ClickAsync();
        await Expect(Rows(page)).ToHaveCountAsync(10);
        await Link(page, "1040112").ClickAsync();
        await Expect(page.Locator(".payload")).ToContainTextAsync("/catalogue/article-112");
        await Link(page, "Newer →").ClickAsync();
        await Expect(page.Locator("h1")).ToHaveTextAsync("Event 1040113");
    });

    [Test]
    public Task A_payload_unfolds() => ClickAsync("run-unicode", async page =>
    {
        var payload = page.Locator("details").Last;
        await Expect(payload.Locator("pre")).ToBeHiddenAsync();
        await payload.Locator("summary").ClickAsync();
        await Expect(payload.Locator("pre")).ToContainTextAsync("\"zip\": \"75 001\"");
    });

    [Test]
    public Task Two_runs_are_compared() => ClickAsync("runs", async page =>
    {
        foreach (var run in new[] { Showcase.Yesterday, Showcase.Today })
        {
            await page.Locator($"input[value='{run}']").CheckAsync();
        }

        await Button(page, "Compare").ClickAsync();
        await Expect(page.GetByText("1 added, 1 removed, 1 changed")).ToBeVisibleAsync();
        await page.GetByLabel("Type").FillAsync("step");
        await Button(page, "Compare").ClickAsync();
        await Expect(page.GetByText("No difference.")).ToBeVisibleAsync();
    });

    [Test]
    public Task A_log_is_filtered_and_has_pages() => ClickAsync("session", async page =>
    {
        var lines = page.Locator("[data-log] tbody tr");
        await Expect(lines).ToHaveCountAsync(50);
        await Link(page, "Older →").ClickAsync();
        await Expect(lines).ToHaveCountAsync(33);
        await page.GetByLabel("Level").SelectOptionAsync("warn");
        await Button(page, "Show").ClickAsync();
        await Expect(lines).ToHaveCountAsync(1);
        await Expect(lines).ToContainTextAsync("closed a newsletter dialog");
    });

    private Task ClickAsync(string name, Func<IPage, Task> visit) => BrowseAsync(
        async page =>
        {
            await OpenAsync(page, name);
            Assert.That(await page.Locator("footer").InnerTextAsync(), Does.Not.Contain("Show local times"), "no script runs");
            await visit(page);
        },
        new BrowserNewContextOptions { JavaScriptEnabled = false });
}
