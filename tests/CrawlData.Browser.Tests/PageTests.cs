using Deque.AxeCore.Commons;
using Deque.AxeCore.Playwright;
using Microsoft.Playwright;

namespace CrawlData.Browser.Tests;

/// <summary>Each page, in a wide window and in one of a phone, light and dark.</summary>
public sealed class PageTests : BrowserTest
{
    [Test]
    public async Task No_rule_of_axe_is_violated([ValueSource(typeof(Showcase), nameof(Showcase.Names))] string name) => await BrowseAsync(async page =>
    {
        await OpenAsync(page, name);
        await UnfoldAsync(page);
        foreach (var width in Widths)
        {
            await page.SetViewportSizeAsync(width, 800);
            foreach (var scheme in Schemes)
            {
                await page.EmulateMediaAsync(new PageEmulateMediaOptions { ColorScheme = scheme });
                var result = await page.RunAxe(new AxeRunOptions { ResultTypes = [ResultType.Violations], Iframes = false });

                Assert.That(result.Passes, Has.Length.GreaterThan(10), "axe has looked");
                Assert.That(
                    string.Join('\n', result.Violations.Select(violation => $"{violation.Help}: {violation.Nodes[0].Html}")), Is.Empty,
                    $"{name}, {width}, {scheme}");
            }
        }
    });

    [Test]
    public async Task A_phone_does_not_scroll_sideways([ValueSource(typeof(Showcase), nameof(Showcase.Names))] string name) =>
        await BrowseAsync(
            async page =>
            {
                await OpenAsync(page, name);
                await UnfoldAsync(page);
                var wide = await page.EvaluateAsync<string[]>(
                    """
                    () => [...document.querySelectorAll("html, body, body *")]
                        .filter(element => element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).overflowX !== "visible"
                            && !element.matches("input, select, .unseen, thead"))
                        .concat(document.documentElement.scrollWidth > innerWidth ? [document.documentElement] : [])
                        .map(element => `${element.localName}.${element.className}: ${element.scrollWidth}`)
                    """);

                Assert.That(string.Join('\n', wide), Is.Empty);
            },
            Window(Widths[1]));

    private static async Task UnfoldAsync(IPage page) =>
        await page.EvaluateAsync("() => document.querySelectorAll('details').forEach(details => details.open = true)");
}
