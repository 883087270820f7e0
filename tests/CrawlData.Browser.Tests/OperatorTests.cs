using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace CrawlData.Browser.Tests;

/// <summary>What an operator comes for is found from the first page by clicking alone.</summary>
public sealed class OperatorTests : BrowserTest
{
    [Test]
    public Task A_stuck_run_is_found() => BrowseAsync(async page =>
    {
        await OpenAsync(page, "overview");
        var stuck = Rows(page).Filter(new LocatorFilterOptions { HasText = "stale" }).Filter(new LocatorFilterOptions { HasText = "org.example.travel" });
        await stuck.GetByRole(AriaRole.Link).ClickAsync();

        Assert.That(page.Url, Does.EndWith($"runs/{Showcase.Stale}"));
        await Expect(page.Locator("h1")).ToContainTextAsync("stale");
        await page.Locator(".facts div").Filter(new LocatorFilterOptions { HasText = "Last event" }).GetByRole(AriaRole.Link).ClickAsync();
        await Expect(page.Locator(".payload")).ToContainTextAsync("//button[@id=\\\"article-61\\\"]");
    });

    [Test]
    public Task A_failing_sessions_reason_is_found() => BrowseAsync(async page =>
    {
        await OpenAsync(page, "overview");
        await page.Locator(".tiles").Last.GetByRole(AriaRole.Link).Filter(new LocatorFilterOptions { HasText = "failed" }).ClickAsync();
        await Expect(Rows(page)).ToHaveCountAsync(2);
        await Link(page, "https://shoes.example/").ClickAsync();

        await Expect(page.Locator(".error-box")).ToContainTextAsync("No button matched “accept” in 12 languages.");
        var line = Rows(page).Filter(new LocatorFilterOptions { Has = page.Locator(".badge-error") });
        await line.Locator("summary").ClickAsync();
        await Expect(line.Locator("pre")).ToContainTextAsync("\"Manage options\"");
    });

    [Test]
    public Task Yesterdays_difference_is_found() => BrowseAsync(async page =>
    {
        await OpenAsync(page, "overview");
        await Rows(page).Filter(new LocatorFilterOptions { HasText = "org.example.shop" }).GetByRole(AriaRole.Link).ClickAsync();
        await Link(page, "All runs of this app").ClickAsync();
        await Expect(Rows(page)).ToHaveCountAsync(3);
        var completed = Rows(page).Filter(new LocatorFilterOptions { HasText = "completed" }).GetByRole(AriaRole.Checkbox);
        await Expect(Button(page, "Compare")).ToBeDisabledAsync();
        await completed.First.CheckAsync();
        await completed.Last.CheckAsync();
        await Button(page, "Compare").ClickAsync();

        var differences = page.Locator("h2:has-text('Differences') ~ .scroll").First.Locator("tbody tr");
        await Expect(differences).ToHaveCountAsync(3);
        var changed = differences.Filter(new LocatorFilterOptions { HasText = "changed" });
        await Expect(changed).ToContainTextAsync("price");
        await changed.GetByRole(AriaRole.Link, new LocatorGetByRoleOptions { Name = "newer" }).ClickAsync();
        await Expect(page.Locator(".payload")).ToContainTextAsync("\"price\": 24.50,");
    });
}
