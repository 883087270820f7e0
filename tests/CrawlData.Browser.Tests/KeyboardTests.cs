using static Microsoft.Playwright.Assertions;

namespace CrawlData.Browser.Tests;

/// <summary>Everything that can be clicked is reached by the keyboard, and shows where the focus is.</summary>
public sealed class KeyboardTests : BrowserTest
{
    // A place that scrolls is focused too, so that the arrow keys scroll it.
    private const string Focused =
        """
        () => {
            const element = document.activeElement;
            if (element === document.body) {
                return null;
            }
            const previous = document.querySelector("[data-stop]");
            const { outlineStyle, outlineWidth } = getComputedStyle(element);
            const { top, bottom, left, right } = element.getBoundingClientRect();
            const isInOrder = !previous || element === previous || Boolean(previous.compareDocumentPosition(element) & Node.DOCUMENT_POSITION_FOLLOWING);
            delete previous?.dataset.stop;
            element.dataset.stop = element.dataset.reached = "";
            return {
                name: element.outerHTML.slice(0, 200),
                isInOrder,
                isVisible: outlineStyle !== "none" && parseFloat(outlineWidth) >= 1 && bottom > 0 && top < innerHeight && right > 0 && left < innerWidth,
            };
        }
        """;

    // Rows of events come and go while the focus passes. A link of a drawing is no stop where the table beneath has the same link.
    private const string Missed =
        """
        () => [...document.querySelectorAll("a[href], button, input, select, summary, textarea, [tabindex], [contenteditable]")]
            .filter(element => !element.disabled && element.type !== "hidden" && element.checkVisibility() && element.dataset.reached === undefined
                && !element.closest(".events tbody")
                && !(element.tabIndex < 0
                    && [...document.links].some(other => other.tabIndex >= 0 && other.getAttribute("href") === element.getAttribute("href"))))
            .map(element => element.outerHTML.slice(0, 200))
        """;

    [Test]
    public async Task Tab_reaches_everything_and_leaves_it(
        [Values("overview", "runs", "run", "run-unicode", "run-stats", "event", "compare", "sessions", "session", "artifacts", "status")] string name) =>
        await BrowseAsync(async page =>
        {
            await OpenAsync(page, name);
            if (await page.Locator("[data-events]").CountAsync() > 0)
            {
                await Expect(page.Locator("[data-strip]")).ToBeVisibleAsync();
            }

            // An input of a time has a stop for each of its parts.
            for (var presses = 0; ; presses++)
            {
                Assert.That(presses, Is.LessThan(1_000), "the focus leaves the page at its end");
                await page.Keyboard.PressAsync("Tab");
                if (await page.EvaluateAsync<Focus?>(Focused) is not { } focus || (!focus.IsInOrder && presses > 10))
                {
                    break;
                }

                Assert.That(focus.IsVisible, focus.Name);
                Assert.That(focus.IsInOrder, focus.Name);
            }

            Assert.That(string.Join('\n', await page.EvaluateAsync<string[]>(Missed)), Is.Empty);
        });

    [Test]
    public Task The_first_stop_skips_to_the_content() => BrowseAsync(async page =>
    {
        await OpenAsync(page, "runs");
        await page.Keyboard.PressAsync("Tab");
        await page.Keyboard.PressAsync("Enter");
        await page.Keyboard.PressAsync("Tab");
        await Expect(page.GetByLabel("Status")).ToBeFocusedAsync();
    });

    [Test]
    public Task Two_runs_are_compared() => BrowseAsync(async page =>
    {
        await OpenAsync(page, "runs");
        foreach (var run in new[] { Showcase.Yesterday, Showcase.Today })
        {
            await page.Locator($"input[value='{run}']").FocusAsync();
            await page.Keyboard.PressAsync("Space");
        }

        await Button(page, "Compare").FocusAsync();
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.GetByText("1 added, 1 removed, 1 changed")).ToBeVisibleAsync();
    });

    private sealed class Focus
    {
        public string Name { get; set; } = "";

        public bool IsInOrder { get; set; }

        public bool IsVisible { get; set; }
    }
}
