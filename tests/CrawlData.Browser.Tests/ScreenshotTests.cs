using Microsoft.Playwright;

namespace CrawlData.Browser.Tests;

/// <summary>Pictures of each page, to be looked at. A run that has not asked for them by name leaves them out.</summary>
[Explicit("It writes pictures.")]
[Category("Screenshots")]
public sealed class ScreenshotTests : BrowserTest
{
    private static readonly string Folder = Environment.GetEnvironmentVariable("CRAWLDATA_SCREENSHOTS")
        ?? Path.Combine(Path.GetTempPath(), "crawldata-screenshots");

    [Test]
    public Task A_page_has_pictures([ValueSource(typeof(Showcase), nameof(Showcase.Names))] string name) => BrowseAsync(name, async page =>
    {
        foreach (var width in Widths)
        {
            await page.SetViewportSizeAsync(width, 800);
            foreach (var scheme in Schemes)
            {
                await page.EmulateMediaAsync(new PageEmulateMediaOptions { ColorScheme = scheme });
                var file = Path.Combine(Folder, $"{name}-{width}-{scheme}.png".ToLowerInvariant());
                await page.ScreenshotAsync(new PageScreenshotOptions { Path = file, FullPage = true });
                TestContext.Out.WriteLine(file);
            }
        }
    });
}
